/** Edit or delete one of the user's own listings. */
import { useRouter } from "next/router";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { EmptyState } from "@/components/EmptyState";
import { FailureState } from "@/components/FailureState";
import { Notice } from "@/components/Notice";
import { PageLink } from "@/components/PageLink";
import { PageTitle } from "@/components/PageTitle";
import { TicketForm } from "@/components/TicketForm";
import { useLiveTicket } from "@/hooks/useLiveTicket";
import { api } from "@/lib/api/browser";
import type { Ticket, TicketStatus } from "@/lib/api/types";
import { type PageProps, page } from "@/lib/server/pageProps";
import styles from "@/styles/page.module.css";

interface Props {
  ticket: Ticket;
}

export const getServerSideProps = page<Props>(
  async ({ services, user, id }) => {
    const ticket = await services.getTicket(id);
    return ticket.userId === user?.id ? { props: { ticket } } : { redirect: `/tickets/${ticket.id}` };
  },
  { signedIn: true },
);

export default function EditTicketPage(props: PageProps<Props>) {
  return (
    <div className={`${styles.stack} ${styles.medium}`}>
      <PageTitle>Edit listing</PageTitle>
      {"failure" in props ? (
        <FailureState failure={props.failure} heading="h1" />
      ) : (
        <EditTicket ticket={props.ticket} />
      )}
    </div>
  );
}

interface Lock {
  title: string;
  text: string;
}

const CANCELLED: Lock = { title: "This event is called off", text: "An event that is called off cannot be changed." };

/** Why a listing of one seat cannot be edited. An ended listing can be: its event may have been moved. */
const LOCKED: Partial<Record<TicketStatus, Lock>> = {
  held: {
    title: "A buyer holds this ticket",
    text: "A ticket on hold cannot be changed. If the buyer does not pay in time, you can edit it again.",
  },
  sold: { title: "This ticket is sold", text: "A sold ticket cannot be changed." },
  cancelled: CANCELLED,
};

function EditTicket({ ticket }: Props) {
  const router = useRouter();
  const now = useLiveTicket(ticket);
  const several = ticket.quantity > 1;
  const locked = several ? ticket.status === "cancelled" && CANCELLED : LOCKED[ticket.status];
  if (locked) {
    return (
      <EmptyState heading="h1" title={locked.title} text={locked.text}>
        <PageLink href="/listings">Back to my listings</PageLink>
      </EmptyState>
    );
  }
  return (
    <>
      <div className={styles.head}>
        <h1>Edit listing</h1>
        {ticket.available === ticket.quantity && (
          <ConfirmDialog
            label="Delete listing"
            title="Delete this listing?"
            confirmLabel="Delete it"
            keepLabel="Keep it"
            onConfirm={async () => {
              await api.deleteTicket(ticket.id);
              await router.push("/listings");
            }}
          >
            <p>Buyers no longer see “{ticket.title}”. This cannot be undone.</p>
          </ConfirmDialog>
        )}
      </div>
      {/* Typed input is kept: the hold may expire before the seller has finished. */}
      {!several && now?.status === "held" && (
        <Notice tone="warn" title="A buyer holds this ticket now.">
          You cannot save changes while it is on hold. If the buyer does not pay in time, you can save them.
        </Notice>
      )}
      {!several && now?.status === "sold" && <Notice tone="good">This ticket has just been sold.</Notice>}
      {now === null && <Notice tone="warn">This listing has been deleted.</Notice>}
      <TicketForm
        ticket={ticket}
        submitLabel="Save changes"
        onSubmit={async (input) => {
          await api.updateTicket(ticket.id, input);
          await router.push(`/tickets/${ticket.id}`);
        }}
      />
    </>
  );
}
