/** The reader's own open order on a held ticket: somebody who comes back to it must not be told that another has it. */
import { useEffect, useState } from "react";
import { api } from "@/lib/api/browser";
import { ApiError } from "@/lib/api/errors";
import type { Order, Ticket, User } from "@/lib/api/types";

/** A hold lasts minutes, so it is among the newest orders. */
const NEWEST = "20";

export function useOwnHold(ticket: Ticket, user: User | null): Order | null {
  const [order, setOrder] = useState<Order | null>(null);
  const asks = user !== null && user.id !== ticket.userId && ticket.status === "held";

  useEffect(() => {
    setOrder(null);
    if (!asks) return;
    const request = new AbortController();
    api.listOrders({ limit: NEWEST }, request.signal).then(
      ({ items }) => setOrder(items.find((item) => item.ticket.id === ticket.id && item.status === "created") ?? null),
      (failure) => {
        // An extra: without it the page is still right, only less helpful.
        if (!(request.signal.aborted || failure instanceof ApiError)) throw failure;
      },
    );
    return () => request.abort();
  }, [ticket.id, asks]);

  return order;
}
