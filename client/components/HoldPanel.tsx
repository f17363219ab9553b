/** The price and the one thing to do about it: hold the ticket, or edit it when it is one's own. */
import { useRouter } from "next/router";
import { useRef, useState } from "react";
import { api } from "@/lib/api/browser";
import { ApiError } from "@/lib/api/errors";
import type { Ticket, User } from "@/lib/api/types";
import { Attempt } from "@/lib/attempt";
import { formatPrice } from "@/lib/format";
import { signInPath } from "@/lib/returnTo";
import styles from "@/styles/page.module.css";
import { Button, ButtonLink } from "./Button";
import { Notice } from "./Notice";
import { SimilarTickets } from "./SimilarTickets";

export function HoldPanel({ ticket, user }: { ticket: Ticket; user: User | null }) {
  const router = useRouter();
  const attempt = useRef(new Attempt());
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const own = user?.id === ticket.userId;
  const lost = error?.status === 409 && !error.stillRunning;

  async function hold() {
    setBusy(true);
    setError(null);
    try {
      const order = await attempt.current.run(ticket.id, (key) => api.holdTicket(ticket.id, key));
      await router.push(`/orders/${order.id}`);
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      if (failure.status === 401) await router.push(signInPath(router.asPath));
      else setError(failure);
      // Show the ticket as it is now.
      if (failure.status === 409) await router.replace(router.asPath, undefined, { scroll: false });
    } finally {
      setBusy(false);
    }
  }

  return (
    <aside className={`${styles.stack} ${styles.side}`} aria-label="Price and purchase">
      <div className={styles.card}>
        <p className={styles.price}>{formatPrice(ticket.price, ticket.currency)}</p>
        {own && <OwnTicket ticket={ticket} />}
        {!own && ticket.status === "sold" && <Notice tone="info">This ticket is sold.</Notice>}
        {!own && ticket.status === "held" && !lost && (
          <Notice tone="warn" title="Someone is buying this ticket.">
            If they do not pay in time it is free again, so it can be worth looking back in a few minutes.
          </Notice>
        )}
        {lost && (
          <Notice tone="warn" title="Someone was a moment quicker.">
            They hold this ticket now and you were not charged. If they do not pay in time it is free again.
          </Notice>
        )}
        {error && !lost && <Notice tone="bad">{error.message}</Notice>}
        {!own && ticket.status !== "sold" && (
          <>
            {user ? (
              <Button wide busy={busy} onClick={hold}>
                {lost || ticket.status === "held" ? "Try to hold it again" : "Hold this ticket"}
              </Button>
            ) : (
              <ButtonLink wide href={signInPath(`/tickets/${ticket.id}`)}>
                Sign in to hold this ticket
              </ButtonLink>
            )}
            <p className={styles.count}>Nobody else can buy it while you pay. Holding costs nothing.</p>
          </>
        )}
      </div>
      {(lost || (!own && ticket.status !== "available")) && <SimilarTickets ticket={ticket} />}
    </aside>
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
