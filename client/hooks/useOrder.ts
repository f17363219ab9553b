/** An order as it is now, told by its own stream; every tab that shows it hears the same. */
import { useCallback, useEffect, useRef, useState } from "react";
import { api } from "@/lib/api/browser";
import { ApiError } from "@/lib/api/errors";
import type { Order } from "@/lib/api/types";
import { serverClock } from "@/lib/clock";
import { openEventStream } from "@/lib/live/eventStream";

/** How often an order is asked for while its stream is away. */
const POLL_MS = 3_000;

interface LiveOrder {
  order: Order;
  /** Asks at once, for somebody who knows that it has just changed. */
  refresh: () => void;
}

export function useOrder(initial: Order): LiveOrder {
  const [order, setOrder] = useState(initial);
  const request = useRef<AbortController>(undefined);
  // A cancelled order has no further story.
  const followed = order.status !== "cancelled";

  // News and answers can overtake each other; a version never goes back.
  const take = useCallback((latest: Order) => {
    setOrder((known) => (latest.version > known.version ? latest : known));
  }, []);

  const refresh = useCallback(() => {
    request.current?.abort();
    const controller = new AbortController();
    request.current = controller;
    api.getOrder(initial.id, controller.signal).then(take, (failure) => {
      if (!(controller.signal.aborted || failure instanceof ApiError)) throw failure;
    });
  }, [initial.id, take]);

  useEffect(() => () => request.current?.abort(), []);

  useEffect(() => {
    if (!followed) return;
    return openEventStream(`/api/orders/${encodeURIComponent(initial.id)}/stream`, {
      onEvent: ({ type, data }) => {
        if (type === "order") take(JSON.parse(data) as Order);
        else if (type === "reset") refresh();
      },
      onPoll: refresh,
      pollMs: POLL_MS,
      // The countdown runs on this clock.
      onAnswer: (response, startedAt) => serverClock.observe(response.headers.get("date"), startedAt, Date.now()),
      onRefused: refresh,
    });
  }, [initial.id, followed, refresh, take]);

  return { order, refresh };
}
