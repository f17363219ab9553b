/** Edit or take down one's own listing. */
import type { InferGetServerSidePropsType } from "next";
import Head from "next/head";
import { useRouter } from "next/router";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { EmptyState } from "@/components/EmptyState";
import { FailureState } from "@/components/FailureState";
import { Notice } from "@/components/Notice";
import { PageLink } from "@/components/PageLink";
import { TicketForm } from "@/components/TicketForm";
import { useLiveTicket } from "@/hooks/useLiveTicket";
import { api } from "@/lib/api/browser";
import type { Ticket } from "@/lib/api/types";
import { first } from "@/lib/returnTo";
import { page } from "@/lib/server/pageProps";
import styles from "@/styles/page.module.css";

interface Props {
  ticket: Ticket;
}

export const getServerSideProps = page<Props>(
  async ({ api: services, user, context }) => {
    const ticket = await services.getTicket(first(context.params?.id) ?? "");
    return ticket.userId === user?.id ? { props: { ticket } } : { redirect: `/tickets/${ticket.id}` };
  },
  { signedIn: true },
);

export default function EditTicketPage(props: InferGetServerSidePropsType<typeof getServerSideProps>) {
  return (
    <div className={`${styles.stack} ${styles.medium}`}>
      <Head>
        <title>Edit listing · Ticketing</title>
      </Head>
      {"failure" in props ? (
        <FailureState failure={props.failure} heading="h1" />
      ) : (
        <EditTicket ticket={props.ticket} />
      )}
    </div>
  );
}

function EditTicket({ ticket }: Props) {
  const router = useRouter();
  const now = useLiveTicket(ticket);
  if (ticket.status !== "available") {
    return (
      <EmptyState
        heading="h1"
        title={ticket.status === "held" ? "Someone is buying this ticket" : "This ticket is sold"}
        text="A ticket that is held or sold cannot be changed. If the hold runs out, you can edit it again."
      >
        <PageLink href="/listings">Back to my listings</PageLink>
      </EmptyState>
    );
  }
  return (
    <>
      <div className={styles.head}>
        <h1>Edit listing</h1>
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
          <p>“{ticket.title}” disappears from the shop at once. This cannot be undone.</p>
        </ConfirmDialog>
      </div>
      {/* What is typed stays: the hold may run out before it is finished. */}
      {now?.status === "held" && (
        <Notice tone="warn" title="Someone is buying this ticket just now.">
          It cannot be changed while they hold it. If they do not pay in time, you can save your changes.
        </Notice>
      )}
      {now?.status === "sold" && <Notice tone="good">This ticket has just been sold.</Notice>}
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
