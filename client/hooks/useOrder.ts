/** An order as it is now: asks again while it can still change, and at once when somebody knows it just did. */
import { useCallback, useEffect, useRef, useState } from "react";
import { api } from "@/lib/api/browser";
import { ApiError } from "@/lib/api/errors";
import type { Order } from "@/lib/api/types";

const OPEN_INTERVAL_MS = 1_500;
/** A completed order changes only when the capture fails for good, which is rare and slow. */
const COMPLETE_INTERVAL_MS = 15_000;

interface LiveOrder {
  order: Order;
  /** False while the last question went unanswered. */
  online: boolean;
  refresh: () => void;
}

export function useOrder(initial: Order): LiveOrder {
  const [order, setOrder] = useState(initial);
  const [online, setOnline] = useState(true);
  const request = useRef<AbortController>(undefined);

  const refresh = useCallback(() => {
    request.current?.abort();
    const controller = new AbortController();
    request.current = controller;
    api
      .getOrder(initial.id, controller.signal)
      .then(
        (latest) => {
          // Answers can overtake each other; a version never goes back.
          setOrder((known) => (latest.version >= known.version ? latest : known));
          setOnline(true);
        },
        (error) => {
          if (!controller.signal.aborted) setOnline(!(error instanceof ApiError && error.status === 0));
        },
      )
      .finally(() => {
        if (request.current === controller) request.current = undefined;
      });
  }, [initial.id]);

  useEffect(() => {
    // The first answer also sets the clock the countdown runs on.
    refresh();
    return () => request.current?.abort();
  }, [refresh]);

  useEffect(() => {
    if (order.status === "cancelled") return;
    const interval = order.status === "created" ? OPEN_INTERVAL_MS : COMPLETE_INTERVAL_MS;
    const timer = setInterval(() => {
      // A slow answer is waited for; asking again would only throw it away.
      if (document.visibilityState === "visible" && !request.current) refresh();
    }, interval);
    document.addEventListener("visibilitychange", refresh);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", refresh);
    };
  }, [order.status, refresh]);

  return { order, online, refresh };
}
