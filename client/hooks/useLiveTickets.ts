/** A list of tickets that follows the live feed: held, sold, dearer, new, withdrawn, without a reload. */
import { useEffect, useRef } from "react";
import type { Page } from "@/lib/api/client";
import type { Ticket } from "@/lib/api/types";
import { followTickets, latestChanges } from "@/lib/live/ticketFeed";
import { applyChange, applyChanges, type TicketView } from "@/lib/live/ticketList";
import { type PagedList, usePagedList } from "./usePagedList";

export function useLiveTickets(
  initial: Page<Ticket>,
  view: TicketView,
  load: (query: { cursor?: string; limit?: string }, signal: AbortSignal) => Promise<Page<Ticket>>,
): PagedList<Ticket> {
  const list = usePagedList(initial, load, (answer) => applyChanges(answer, latestChanges(), view));
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

  return list;
}
