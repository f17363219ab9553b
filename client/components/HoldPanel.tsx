/** The price and the action: hold tickets, or edit one's own listing. */
import { useHold } from "@/hooks/useHold";
import { useOwnHold } from "@/hooks/useOwnHold";
import { useTicketStatus } from "@/hooks/useTicketStatus";
import type { Ticket, TicketStatus, User } from "@/lib/api/types";
import { formatPrice } from "@/lib/format";
import { seatsLeft } from "@/lib/seats";
import styles from "@/styles/page.module.css";
import { ButtonLink } from "./Button";
import { Notice } from "./Notice";
import { Purchase } from "./Purchase";
import { SimilarTickets } from "./SimilarTickets";

interface Props {
  /** As it is now; it changes while the page is open. */
  ticket: Ticket;
  user: User | null;
}

export function HoldPanel({ ticket, user }: Props) {
  const own = user?.id === ticket.userId;
  const hold = useHold(ticket);
  const ownHold = useOwnHold(ticket, user);
  const status = useTicketStatus(ticket);
  const gone = hold.lost || status !== "available";
  return (
    <aside className={`${styles.stack} ${styles.side}`} aria-label="Price and purchase">
      <div className={styles.card}>
        <p>
          <span className={styles.price}>{formatPrice(hold.price, ticket.currency)}</span>
          {ticket.quantity > 1 && " per ticket"}
        </p>
        {own ? (
          <OwnTicket ticket={ticket} status={status} />
        ) : (
          <Purchase ticket={ticket} status={status} user={user} hold={hold} ownHold={ownHold} />
        )}
      </div>
      {gone && !own && !ownHold && <SimilarTickets ticket={ticket} />}
    </aside>
  );
}

function OwnTicket({ ticket, status }: { ticket: Ticket; status: TicketStatus }) {
  return (
    <>
      <OwnListing ticket={ticket} status={status} />
      {(ticket.available < ticket.quantity || status === "cancelled" || status === "ended") && (
        <ButtonLink href={`/tickets/${ticket.id}/sales`} wide>
          Sales and entrance
        </ButtonLink>
      )}
    </>
  );
}

function OwnListing({ ticket, status }: { ticket: Ticket; status: TicketStatus }) {
  const left = seatsLeft(ticket);
  // The date is fixed while seats are held or sold.
  const movable = ticket.quantity === 1 || ticket.available === ticket.quantity;
  if (status === "cancelled") return <Notice tone="info">You called this event off.</Notice>;
  if (!left && status === "sold") return <Notice tone="good">You sold this ticket.</Notice>;
  if (!left && status === "held") {
    return (
      <Notice tone="warn">A buyer holds your ticket. If that buyer does not pay in time, you can edit it again.</Notice>
    );
  }
  return (
    <>
      {status === "ended" && (
        <Notice tone="info" title="The event has started.">
          Buyers no longer see this listing.
          {movable && " Change its date if the event takes place later."}
        </Notice>
      )}
      {status === "sold" && <Notice tone="good">You sold all tickets of this listing.</Notice>}
      {status === "held" && <Notice tone="warn">Buyers hold all remaining tickets of this listing.</Notice>}
      {status === "available" && <p>{left ? `This is your listing: ${left}.` : "This is your listing."}</p>}
      <ButtonLink href={`/tickets/${ticket.id}/edit`} wide variant="secondary">
        Edit or delete
      </ButtonLink>
    </>
  );
}
