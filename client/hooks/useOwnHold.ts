/** The reader's own open order for a ticket, so that the ticket page does not say that another buyer holds it. */
import { useEffect, useState } from "react";
import { api } from "@/lib/api/browser";
import { ignoreFailure } from "@/lib/api/errors";
import type { Order, Ticket, User } from "@/lib/api/types";
import { whenServerTimeIs } from "@/lib/clock";

/** A hold lasts minutes, so its order is among the newest. */
const NEWEST = "20";

export function useOwnHold(ticket: Ticket, user: User | null): Order | null {
  const [order, setOrder] = useState<Order | null>(null);
  // A listing with several seats can be available while the reader holds some of them.
  const several = ticket.quantity > 1;
  const mayHold = user !== null && user.id !== ticket.userId && (ticket.status === "held" || several);

  useEffect(() => {
    setOrder(null);
    if (!mayHold) return;
    const request = new AbortController();
    api
      .listOrders({ limit: NEWEST }, request.signal)
      .then(
        ({ items }) =>
          setOrder(items.find((item) => item.ticket.id === ticket.id && item.status === "created") ?? null),
        ignoreFailure,
      );
    return () => request.abort();
  }, [ticket.id, mayHold]);

  useEffect(() => {
    if (order && several) return whenServerTimeIs(Date.parse(order.expiresAt), () => setOrder(null));
  }, [order, several]);

  return order;
}
