/** Applies changes of single tickets to a list of tickets. */
import type { Page } from "../api/client";
import type { Ticket } from "../api/types";
import type { TicketChange } from "./ticketFeed";

/** The tickets that a list shows, and their order. */
export interface TicketView {
  wants: (ticket: Ticket) => boolean;
  /** False once a shown ticket must leave the list, even without a change event. */
  keeps: (ticket: Ticket) => boolean;
  /** Negative when the first comes before the second. */
  compare: (one: Ticket, other: Ticket) => number;
}

/**
 * A shown ticket keeps its position and shows its new state, even if it no longer matches: it is removed only when it is
 * deleted or the list no longer keeps it. A new ticket is inserted by the list's order, unless its position is on a page
 * that is not loaded yet.
 */
export function applyChange(list: Page<Ticket>, { id, ticket }: TicketChange, view: TicketView): Page<Ticket> {
  const place = list.items.findIndex((item) => item.id === id);
  const known = list.items[place];
  if (!ticket) return known ? without(list, known) : list;
  if (known) {
    if (ticket.version >= known.version && !view.keeps(ticket)) return without(list, known);
    return ticket.version > known.version ? { ...list, items: list.items.with(place, ticket) } : list;
  }
  if (!view.wants(ticket) || !view.keeps(ticket)) return list;
  const next = list.items.findIndex((item) => view.compare(ticket, item) < 0);
  if (next < 0 && list.next !== null) return list;
  return { ...list, items: list.items.toSpliced(next < 0 ? list.items.length : next, 0, ticket) };
}

function without(list: Page<Ticket>, known: Ticket): Page<Ticket> {
  return { ...list, items: list.items.filter((item) => item !== known) };
}

/** The list without the tickets that it no longer keeps; the same object if nothing changes. */
export function dropEnded(list: Page<Ticket>, view: TicketView): Page<Ticket> {
  return list.items.every(view.keeps) ? list : { ...list, items: list.items.filter(view.keeps) };
}

/** Applies changes to a response that may be older than they are. */
export function applyChanges(list: Page<Ticket>, changes: Iterable<TicketChange>, view: TicketView): Page<Ticket> {
  let result = list;
  for (const change of changes) result = applyChange(result, change, view);
  return result;
}
