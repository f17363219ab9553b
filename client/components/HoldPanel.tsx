/** The price and the action: hold the ticket, or edit one's own listing. */
import { useRouter } from "next/router";
import { useRef, useState } from "react";
import { useOwnHold } from "@/hooks/useOwnHold";
import { useTicketStatus } from "@/hooks/useTicketStatus";
import { api } from "@/lib/api/browser";
import { ApiError } from "@/lib/api/errors";
import type { Order, Ticket, TicketStatus, User } from "@/lib/api/types";
import { Attempt } from "@/lib/attempt";
import { formatPrice } from "@/lib/format";
import { signInPath } from "@/lib/returnTo";
import styles from "@/styles/page.module.css";
import { Button, ButtonLink } from "./Button";
import { Notice } from "./Notice";
import { SimilarTickets } from "./SimilarTickets";

interface Props {
  /** As it is now; it changes while the page is open. */
  ticket: Ticket;
  user: User | null;
}

export function HoldPanel({ ticket, user }: Props) {
  const own = user?.id === ticket.userId;
  const [lost, setLost] = useState(false);
  const ownHold = useOwnHold(ticket, user);
  const status = useTicketStatus(ticket);
  const gone = lost || status !== "available";
  return (
    <aside className={`${styles.stack} ${styles.side}`} aria-label="Price and purchase">
      <div className={styles.card}>
        <p className={styles.price}>{formatPrice(ticket.price, ticket.currency)}</p>
        {own ? (
          <OwnTicket ticket={ticket} status={status} />
        ) : (
          <Purchase ticket={ticket} status={status} user={user} ownHold={ownHold} lost={lost} onLost={setLost} />
        )}
      </div>
      {gone && !own && !ownHold && <SimilarTickets ticket={ticket} />}
    </aside>
  );
}

interface PurchaseProps extends Props {
  status: TicketStatus;
  ownHold: Order | null;
  /** The service refused this hold: another buyer's came first, or the event has begun. */
  lost: boolean;
  onLost: (lost: boolean) => void;
}

/** Why a ticket cannot be bought, for good. */
const CLOSED: Partial<Record<TicketStatus, string>> = {
  sold: "This ticket is sold.",
  cancelled: "The seller has cancelled this event. Tickets for it can no longer be bought.",
};

function Purchase({ ticket, status, user, ownHold, lost, onLost }: PurchaseProps) {
  const router = useRouter();
  const attempt = useRef(new Attempt());
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);

  async function hold() {
    setBusy(true);
    setError(null);
    onLost(false);
    try {
      const order = await attempt.current.run(ticket.id, (key) => api.holdTicket(ticket.id, key));
      await router.push(`/orders/${order.id}`);
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      if (failure.status === 401) await router.push(signInPath(router.asPath));
      else if (failure.status === 409 && !failure.stillRunning) onLost(true);
      else setError(failure);
    } finally {
      setBusy(false);
    }
  }

  const closed = CLOSED[status];
  if (closed) return <Notice tone="info">{closed}</Notice>;
  // While our own request is running, "held" is the result of this request.
  if (ownHold && !busy) {
    return (
      <>
        <Notice tone="good" title="You hold this ticket.">
          Pay before the time runs out to buy it.
        </Notice>
        <ButtonLink wide href={`/orders/${ownHold.id}`}>
          Go on to payment
        </ButtonLink>
      </>
    );
  }
  if (status === "ended") {
    return (
      <>
        <Notice tone="info" title="This event has started.">
          Its ticket can no longer be bought.
        </Notice>
        <Button wide disabled>
          Hold this ticket
        </Button>
      </>
    );
  }
  const taken = status === "held" && !busy;
  return (
    <>
      {lost && (
        <Notice tone="warn" title="You do not hold this ticket.">
          Another buyer placed a hold first, or the event has started. You were not charged. If that buyer does not pay
          in time, you can hold the ticket.
        </Notice>
      )}
      {taken && !lost && (
        <Notice tone="warn" title="Another buyer holds this ticket.">
          If that buyer does not pay in time, you can hold it. This page updates by itself.
        </Notice>
      )}
      {error && <Notice tone="bad">{error.message}</Notice>}
      {user ? (
        <Button wide busy={busy} onClick={hold}>
          {lost || taken ? "Try to hold it again" : "Hold this ticket"}
        </Button>
      ) : (
        <ButtonLink wide href={signInPath(`/tickets/${ticket.id}`)}>
          Sign in to hold this ticket
        </ButtonLink>
      )}
      <p className={styles.count}>While you hold it, no other buyer can buy it. A hold costs nothing.</p>
    </>
  );
}

function OwnTicket({ ticket, status }: { ticket: Ticket; status: TicketStatus }) {
  if (status === "sold") return <Notice tone="good">You sold this ticket.</Notice>;
  if (status === "cancelled") return <Notice tone="info">You cancelled this event.</Notice>;
  if (status === "held") {
    return (
      <Notice tone="warn">A buyer holds your ticket. If that buyer does not pay in time, you can edit it again.</Notice>
    );
  }
  return (
    <>
      {status === "ended" ? (
        <Notice tone="info" title="The event has started.">
          Buyers no longer see this listing. Change its date if the event takes place later.
        </Notice>
      ) : (
        <p>This is your listing.</p>
      )}
      <ButtonLink href={`/tickets/${ticket.id}/edit`} wide>
        Edit or delete
      </ButtonLink>
    </>
  );
}
