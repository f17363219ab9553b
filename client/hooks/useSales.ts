/**
 * The paid orders of a listing and its counts, loaded again whenever the listing changes: every sale changes it. A part
 * refund and a dispute change the order only, so the page also loads them regularly while it is visible.
 */
import { useCallback, useEffect, useRef, useState } from "react";
import { api } from "@/lib/api/browser";
import type { Page } from "@/lib/api/client";
import { ignoreFailure } from "@/lib/api/errors";
import type { CheckinCounts, Order, Ticket } from "@/lib/api/types";
import { Attempt } from "@/lib/attempt";
import { type PagedList, usePagedList } from "./usePagedList";

type Counts = Pick<CheckinCounts, "sold" | "checkedIn">;

interface Sales {
  list: PagedList<Order>;
  counts: Counts;
  /** An order was refunded on this page. */
  refunded: boolean;
  /** Rejects with an ApiError. */
  refund: (order: Order) => Promise<void>;
}

/** Changes of a listing that sells fast arrive many times a second: one request after this time covers them. Milliseconds. */
const COLLECT_MS = 1_500;
const RELOAD_MS = 30_000;

export function useSales(ticket: Ticket, initial: Page<Order>, initialCounts: Counts): Sales {
  const { id, version } = ticket;
  const list = usePagedList(initial, (query, signal) => api.listSales({ ticketId: id, ...query }, signal));
  const { reload, update } = list;
  const [counts, setCounts] = useState(initialCounts);
  const [refunded, setRefunded] = useState(false);
  const attempts = useRef(new Map<string, Attempt>());
  const rendered = useRef(version);

  const load = useCallback(() => {
    reload();
    api.countCheckins(id).then(setCounts, ignoreFailure);
  }, [id, reload]);

  useEffect(() => {
    if (version === rendered.current) return;
    const timer = setTimeout(() => {
      rendered.current = version;
      load();
    }, COLLECT_MS);
    return () => clearTimeout(timer);
  }, [version, load]);

  useEffect(() => {
    let loadedAt = Date.now();
    const loadIfDue = () => {
      if (document.visibilityState !== "visible" || Date.now() - loadedAt < RELOAD_MS) return;
      loadedAt = Date.now();
      load();
    };
    const timer = setInterval(loadIfDue, RELOAD_MS);
    document.addEventListener("visibilitychange", loadIfDue);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", loadIfDue);
    };
  }, [load]);

  async function refund(order: Order) {
    const attempt = attempts.current.get(order.id) ?? new Attempt();
    attempts.current.set(order.id, attempt);
    await attempt.run(order.id, (key) => api.refundOrder(order.id, key));
    setRefunded(true);
    update((shown) => ({ ...shown, items: shown.items.filter(({ id: other }) => other !== order.id) }));
    load();
  }

  return { list, counts, refunded, refund };
}
