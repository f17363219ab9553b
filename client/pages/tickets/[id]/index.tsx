/** One ticket, with the form to hold it. */
import { useRouter } from "next/router";
import { BackLink } from "@/components/BackLink";
import { FailureState } from "@/components/FailureState";
import { HoldPanel } from "@/components/HoldPanel";
import { LocalTime } from "@/components/LocalTime";
import { Notice } from "@/components/Notice";
import { PageTitle } from "@/components/PageTitle";
import { SimilarTickets } from "@/components/SimilarTickets";
import { TicketBadge } from "@/components/StatusBadge";
import { useLiveTicket } from "@/hooks/useLiveTicket";
import { useTicketStatus } from "@/hooks/useTicketStatus";
import type { Ticket } from "@/lib/api/types";
import { seatsLeft } from "@/lib/seats";
import { type PageProps, page, type SharedProps } from "@/lib/server/pageProps";
import styles from "@/styles/page.module.css";

interface Props {
  ticket: Ticket;
}

export const getServerSideProps = page<Props>(async ({ services, id }) => ({
  props: { ticket: await services.getTicket(id) },
}));

export default function TicketPage(props: PageProps<Props>) {
  return "failure" in props ? (
    <FailureState failure={props.failure} heading="h1" />
  ) : (
    <TicketDetails key={props.ticket.id} {...props} />
  );
}

function TicketDetails({ ticket: initial, user }: Props & SharedProps) {
  const ticket = useLiveTicket(initial);
  const status = useTicketStatus(ticket ?? initial);
  const justListed = useRouter().query.listed === "1";
  if (!ticket) return <Withdrawn ticket={initial} />;
  return (
    <div className={styles.stack}>
      <PageTitle>{ticket.title}</PageTitle>
      <BackLink href="/">All tickets</BackLink>
      {justListed && (
        <Notice tone="good" title={ticket.quantity === 1 ? "Your ticket is listed." : "Your tickets are listed."}>
          Buyers can see your listing now.
        </Notice>
      )}
      <div className={styles.columns}>
        <header className={styles.title}>
          <div className={styles.row}>
            <TicketBadge status={status} left={seatsLeft(ticket)} />
          </div>
          <h1>{ticket.title}</h1>
        </header>
        <HoldPanel ticket={ticket} user={user} />
        <section className={styles.stack} aria-label="Details">
          <dl className={`${styles.facts} ${styles.card}`}>
            <dt>When</dt>
            <dd>{ticket.startsAt ? <LocalTime iso={ticket.startsAt} withOffset /> : "Not specified"}</dd>
            <dt>Where</dt>
            <dd>{ticket.venue ?? "Not specified"}</dd>
            <dt>Listed</dt>
            <dd>
              <LocalTime iso={ticket.createdAt} />
            </dd>
          </dl>
          {ticket.description && <p className={styles.prose}>{ticket.description}</p>}
        </section>
      </div>
    </div>
  );
}

function Withdrawn({ ticket }: Pick<Props, "ticket">) {
  return (
    <div className={`${styles.stack} ${styles.medium}`}>
      <BackLink href="/">All tickets</BackLink>
      <h1>{ticket.title}</h1>
      <Notice tone="info" title="The seller has withdrawn this ticket.">
        It is no longer for sale.
      </Notice>
      <SimilarTickets ticket={ticket} />
    </div>
  );
}
