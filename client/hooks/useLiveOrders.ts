/** The reader's orders, kept current: every change of an order also changes its ticket, which the live feed publishes. */
import { useEffect, useEffectEvent } from "react";
import { api } from "@/lib/api/browser";
import type { Page } from "@/lib/api/client";
import type { Order } from "@/lib/api/types";
import { subscribeToTickets } from "@/lib/live/ticketFeed";
import { type PagedList, usePagedList } from "./usePagedList";

/**
 * Most changes of a listing with several seats are about other buyers' orders, and there may be many per second: one reload
 * after this time at most covers them, at a random time, so that the browsers of all buyers do not reload at once.
 */
const COLLECT_MS = 3_000;

export function useLiveOrders(initial: Page<Order>): PagedList<Order> {
  const list = usePagedList(initial, (query, signal) => api.listOrders(query, signal));
  const { reload } = list;
  const isShown = useEffectEvent((ticketId: string) =>
    list.items.some((order) => order.ticket.id === ticketId && order.status !== "cancelled"),
  );

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const reloadNow = () => {
      clearTimeout(timer);
      timer = undefined;
      reload();
    };
    const unsubscribe = subscribeToTickets({
      onChange: ({ id, ticket }) => {
        if (!isShown(id)) return;
        const several = ticket !== null && ticket.quantity > 1;
        if (!several) reloadNow();
        else timer ??= setTimeout(reloadNow, COLLECT_MS * (0.5 + Math.random() / 2));
      },
      onReload: reloadNow,
    });
    return () => {
      clearTimeout(timer);
      unsubscribe();
    };
  }, [reload]);

  return list;
}
