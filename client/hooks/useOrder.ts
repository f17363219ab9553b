/** An order, kept current by its own event stream in every tab. */
import { useCallback, useEffect, useRef, useState } from "react";
import { api } from "@/lib/api/browser";
import { ignoreFailure } from "@/lib/api/errors";
import type { Order } from "@/lib/api/types";
import { serverClock } from "@/lib/clock";
import { openEventStream } from "@/lib/live/eventStream";

/** The polling interval while the order's stream is disconnected. */
const POLL_MS = 3_000;

/** A live update from a service of the previous version does not say what became of the payment. */
function withMoney(latest: Order, known: Order): Order {
  const refundedAmount = latest.refundedAmount ?? known.refundedAmount ?? null;
  return { ...latest, refundedAmount, disputed: latest.disputed ?? known.disputed ?? null };
}

interface LiveOrder {
  order: Order;
  /** Loads the order at once, for callers that know that it has just changed. */
  refresh: () => void;
}

export function useOrder(initial: Order): LiveOrder {
  const [order, setOrder] = useState(initial);
  const request = useRef<AbortController>(undefined);
  // A cancelled order does not change any more.
  const subscribed = order.status !== "cancelled";

  // Events and responses can arrive out of order: an older version never replaces a newer one.
  const take = useCallback((latest: Order) => {
    setOrder((known) => (latest.version > known.version ? withMoney(latest, known) : known));
  }, []);

  const refresh = useCallback(() => {
    request.current?.abort();
    const controller = new AbortController();
    request.current = controller;
    api.getOrder(initial.id, controller.signal).then(take, ignoreFailure);
  }, [initial.id, take]);

  useEffect(() => () => request.current?.abort(), []);

  useEffect(() => {
    if (!subscribed) return;
    return openEventStream(`/api/orders/${encodeURIComponent(initial.id)}/stream`, {
      onEvent: ({ type, data }) => {
        if (type === "order") take(JSON.parse(data) as Order);
        else if (type === "reset") refresh();
      },
      onPoll: refresh,
      pollMs: POLL_MS,
      // The countdown uses this clock.
      onResponse: (response, startedAt) => serverClock.observe(response.headers.get("date"), startedAt, Date.now()),
      onRefused: refresh,
    });
  }, [initial.id, subscribed, refresh, take]);

  return { order, refresh };
}
