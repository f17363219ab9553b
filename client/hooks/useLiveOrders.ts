/** The reader's orders, kept current: every change of an order also changes its ticket, which the live feed publishes. */
import { useEffect, useRef } from "react";
import { api } from "@/lib/api/browser";
import type { Page } from "@/lib/api/client";
import type { Order } from "@/lib/api/types";
import { subscribeToTickets } from "@/lib/live/ticketFeed";
import { type PagedList, usePagedList } from "./usePagedList";

export function useLiveOrders(initial: Page<Order>): PagedList<Order> {
  const list = usePagedList(initial, (query, signal) => api.listOrders(query, signal));
  const { reload } = list;
  const shown = useRef(list.items);
  useEffect(() => {
    shown.current = list.items;
  });

  useEffect(
    () =>
      subscribeToTickets({
        onChange: (change) => {
          const id = change.kind === "changed" ? change.ticket.id : change.id;
          if (shown.current.some((order) => order.ticket.id === id && order.status !== "cancelled")) reload();
        },
        onReload: reload,
      }),
    [reload],
  );

  return list;
}
