/**
 * The lists that the pages show, as rules: they repeat GET /api/tickets for one ticket that has just changed.
 * tickets/tests/list_cases.json holds examples that the service's tests and the client's read alike.
 */
import type { TicketQuery } from "../api/client";
import type { TicketSort } from "../api/types";
import { type BrowseState, ticketQuery } from "../browseQuery";
import { serverClock } from "../clock";
import { statusAt } from "../ticketStatus";
import type { TicketView } from "./ticketList";
import { MOST_WORDS, wordsOf } from "./words";

type Compare = TicketView["compare"];

const byId: Compare = (one, other) => (one.id < other.id ? -1 : 1);
const byCreation: Compare = (one, other) => Date.parse(one.createdAt) - Date.parse(other.createdAt);
const byPrice: Compare = (one, other) => one.price - other.price;
const byStart: Compare = (one, other) => Date.parse(one.startsAt ?? "") - Date.parse(other.startsAt ?? "");

const ORDERS: Record<TicketSort, Compare> = {
  newest: falling(byCreation),
  oldest: rising(byCreation),
  price: rising(byPrice),
  "-price": falling(byPrice),
  startsAt: undatedLast(
    rising(byStart),
    rising(() => 0),
  ),
  "-startsAt": undatedLast(
    falling(byStart),
    falling(() => 0),
  ),
};

function rising(compare: Compare): Compare {
  return (one, other) => compare(one, other) || byId(one, other);
}

function falling(compare: Compare): Compare {
  return (one, other) => -rising(compare)(one, other);
}

function undatedLast(dated: Compare, undated: Compare): Compare {
  return (one, other) => {
    if (one.startsAt && other.startsAt) return dated(one, other);
    return Number(!one.startsAt) - Number(!other.startsAt) || undated(one, other);
  };
}

/** The list that the service gives for this query. A query that it refuses finds nothing. */
export function queryView({ q, minPrice, maxPrice, from, to, sort }: TicketQuery): TicketView {
  // Absent, a search finds everything; without any word in it ("?!"), nothing.
  const asked = q ? wordsOf(q).slice(0, MOST_WORDS) : null;
  const prices = range([minPrice, maxPrice], (text) => (PRICE.test(text) ? Number(text) : Number.NaN));
  const starts = range([from, to], Date.parse);
  const refused = Array.from(q ?? "").length > LONGEST_SEARCH || asked?.length === 0;
  return {
    compare: ORDERS[(sort as TicketSort) || "newest"],
    wants(ticket) {
      if (refused || ticket.status !== "available") return false;
      if (!prices(ticket.price) || !starts(ticket.startsAt ? Date.parse(ticket.startsAt) : null)) return false;
      const words = asked ? wordsOf(`${ticket.title} ${ticket.venue ?? ""}`) : [];
      return (asked ?? []).every((beginning) => words.some((word) => word.startsWith(beginning)));
    },
    // What ended is no longer for sale, and only the clock says so: there is no news of it.
    keeps: (ticket) => statusAt(ticket, serverClock.now()) !== "ended",
  };
}

const PRICE = /^\d{1,9}(\.\d{1,2})?$/;
const LONGEST_SEARCH = 200;

/** Whether a value lies within inclusive bounds; a bound that cannot be read has nothing within it, an absent one everything. */
function range(bounds: [string | undefined, string | undefined], read: (text: string) => number) {
  const [least, most] = bounds.map((text) => (text ? read(text) : null));
  return (value: number | null): boolean => {
    if (least === null && most === null) return true;
    return value !== null && (least == null || value >= least) && (most == null || value <= most);
  };
}

export function browseView(state: BrowseState): TicketView {
  return queryView(ticketQuery(state));
}

/** One's own listings, in every state. */
export function listingsView(userId: string | undefined): TicketView {
  return {
    compare: ORDERS.newest,
    wants: (ticket) => ticket.userId === userId && ticket.status !== "deleted",
    keeps: () => true,
  };
}
