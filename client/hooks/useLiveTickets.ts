/** A list of tickets that follows the live feed and the clock: held, sold, dearer, new, withdrawn, ended, without a reload. */
import { useEffect, useRef } from "react";
import type { Page } from "@/lib/api/client";
import type { Ticket } from "@/lib/api/types";
import { whenServerTimeIs } from "@/lib/clock";
import { followTickets, latestChanges } from "@/lib/live/ticketFeed";
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
  const shown = useRef(view);
  shown.current = view;

  // biome-ignore lint/correctness/useExhaustiveDependencies: another list from the server may be older than what was told.
  useEffect(() => {
    update((known) => applyChanges(known, latestChanges(), shown.current));
    return followTickets({
      onChange: (change) => update((known) => applyChange(known, change, shown.current)),
      onReload: reload,
    });
  }, [initial, reload, update]);

  const { items } = list;
  useEffect(() => {
    const drop = () => update((known) => dropEnded(known, shown.current));
    // At once too: the page may have been rendered a while ago. Only now is the clock corrected.
    drop();
    const next = Math.min(...items.filter(shown.current.keeps).map(endsAt));
    return next === Number.POSITIVE_INFINITY ? undefined : whenServerTimeIs(next, drop);
  }, [items, update]);

  return list;
}
