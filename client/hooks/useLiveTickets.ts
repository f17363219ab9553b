/** A list of tickets, kept current by the live feed and the clock: statuses, prices, new, withdrawn and ended listings. */
import { useEffect, useEffectEvent } from "react";
import type { Page } from "@/lib/api/client";
import type { LoadPage } from "@/lib/api/paging";
import type { Ticket } from "@/lib/api/types";
import { whenServerTimeIs } from "@/lib/clock";
import { latestChanges, subscribeToTickets, type TicketChange } from "@/lib/live/ticketFeed";
import { applyChanges, dropEnded, type TicketView } from "@/lib/live/ticketList";
import { endsAt } from "@/lib/ticketStatus";
import { type PagedList, usePagedList } from "./usePagedList";

export function useLiveTickets(initial: Page<Ticket>, view: TicketView, load: LoadPage<Ticket>): PagedList<Ticket> {
  const list = usePagedList(initial, load, (answer) => dropEnded(applyChanges(answer, latestChanges(), view), view));
  const { items, reload, update } = list;
  const apply = useEffectEvent((changes: TicketChange[]) => update((known) => applyChanges(known, changes, view)));
  const drop = useEffectEvent(() => update((known) => dropEnded(known, view)));
  const nextEnd = useEffectEvent(() => Math.min(...items.filter(view.keeps).map(endsAt)));

  // biome-ignore lint/correctness/useExhaustiveDependencies: another list from the server may be older than the received changes.
  useEffect(() => {
    apply(latestChanges());
    return subscribeToTickets({ onChange: (change) => apply([change]), onReload: reload });
  }, [initial, reload]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: other items end at other times.
  useEffect(() => {
    // Also at once: the page may have been rendered earlier, and the clock is corrected only now.
    drop();
    const next = nextEnd();
    return next === Number.POSITIVE_INFINITY ? undefined : whenServerTimeIs(next, drop);
  }, [items]);

  return list;
}
