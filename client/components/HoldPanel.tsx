/** The price and the one thing to do about it: hold the ticket, or edit it when it is one's own. */
import { useRouter } from "next/router";
import { useRef, useState } from "react";
import { useOwnHold } from "@/hooks/useOwnHold";
import { api } from "@/lib/api/browser";
import { ApiError } from "@/lib/api/errors";
import type { Order, Ticket, User } from "@/lib/api/types";
import { Attempt } from "@/lib/attempt";
import { formatPrice } from "@/lib/format";
import { signInPath } from "@/lib/returnTo";
import styles from "@/styles/page.module.css";
import { Button, ButtonLink } from "./Button";
import { Notice } from "./Notice";
import { SimilarTickets } from "./SimilarTickets";

interface Props {
  /** As it is now; it changes under our hands. */
  ticket: Ticket;
  user: User | null;
}

export function HoldPanel({ ticket, user }: Props) {
  const own = user?.id === ticket.userId;
  const [lost, setLost] = useState(false);
  const ownHold = useOwnHold(ticket, user);
  const gone = lost || ticket.status !== "available";
  return (
    <aside className={`${styles.stack} ${styles.side}`} aria-label="Price and purchase">
      <div className={styles.card}>
        <p className={styles.price}>{formatPrice(ticket.price, ticket.currency)}</p>
        {own ? (
          <OwnTicket ticket={ticket} />
        ) : (
          <Purchase ticket={ticket} user={user} ownHold={ownHold} lost={lost} onLost={setLost} />
        )}
      </div>
      {gone && !own && !ownHold && <SimilarTickets ticket={ticket} />}
    </aside>
  );
}

interface PurchaseProps extends Props {
  ownHold: Order | null;
  /** Somebody else's hold came first. */
  lost: boolean;
  onLost: (lost: boolean) => void;
}

function Purchase({ ticket, user, ownHold, lost, onLost }: PurchaseProps) {
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

  if (ticket.status === "sold") return <Notice tone="info">This ticket is sold.</Notice>;
  // While our own hold is on its way, the news that the ticket is held is about us.
  if (ownHold && !busy) {
    return (
      <>
        <Notice tone="good" title="You hold this ticket.">
          It is yours once you have paid.
        </Notice>
        <ButtonLink wide href={`/orders/${ownHold.id}`}>
          Go on to payment
        </ButtonLink>
      </>
    );
  }
  if (ticket.status === "ended") return <Notice tone="info">The event has begun. Tickets are no longer sold.</Notice>;
  const taken = ticket.status === "held" && !busy;
  return (
    <>
      {lost && (
        <Notice tone="warn" title="Someone was a moment quicker.">
          They hold this ticket now and you were not charged. If they do not pay in time it is free again.
        </Notice>
      )}
      {taken && !lost && (
        <Notice tone="warn" title="Someone is buying this ticket.">
          If they do not pay in time it is free again; this page then says so by itself.
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
      <p className={styles.count}>Nobody else can buy it while you pay. Holding costs nothing.</p>
    </>
  );
}

function OwnTicket({ ticket }: { ticket: Ticket }) {
  if (ticket.status === "sold") return <Notice tone="good">You sold this ticket.</Notice>;
  if (ticket.status === "held") {
    return (
      <Notice tone="warn">Someone is buying your ticket. You can edit it again if they do not pay in time.</Notice>
    );
  }
  return (
    <>
      <p>This is your listing.</p>
      <ButtonLink href={`/tickets/${ticket.id}/edit`} wide>
        Edit or delete
      </ButtonLink>
    </>
  );
}
