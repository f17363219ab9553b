/** A list of tickets, kept current by the live feed and the clock: statuses, prices, new, withdrawn and ended listings. */
import { useEffect, useRef } from "react";
import type { Page } from "@/lib/api/client";
import type { Ticket } from "@/lib/api/types";
import { whenServerTimeIs } from "@/lib/clock";
import { latestChanges, subscribeToTickets } from "@/lib/live/ticketFeed";
import { applyChange, applyChanges, dropEnded, type TicketView } from "@/lib/live/ticketList";
import { endsAt } from "@/lib/ticketStatus";
import { type PagedList, usePagedList } from "./usePagedList";

export function useLiveTickets(
  initial: Page<Ticket>,
  view: TicketView,
  load: (query: { cursor?: string; limit?: string }, signal: AbortSignal) => Promise<Page<Ticket>>,
): PagedList<Ticket> {
  const list = usePagedList(initial, load, (answer) => dropEnded(applyChanges(answer, latestChanges(), view), view));
  const { reload, update } = list;
  const latest = useRef(view);
  latest.current = view;

  // biome-ignore lint/correctness/useExhaustiveDependencies: another list from the server may be older than the received changes.
  useEffect(() => {
    update((known) => applyChanges(known, latestChanges(), latest.current));
    return subscribeToTickets({
      onChange: (change) => update((known) => applyChange(known, change, latest.current)),
      onReload: reload,
    });
  }, [initial, reload, update]);

  const { items } = list;
  useEffect(() => {
    const drop = () => update((known) => dropEnded(known, latest.current));
    // Also at once: the page may have been rendered earlier, and the clock is corrected only now.
    drop();
    const next = Math.min(...items.filter(latest.current.keeps).map(endsAt));
    return next === Number.POSITIVE_INFINITY ? undefined : whenServerTimeIs(next, drop);
  }, [items, update]);

  return list;
}
