/**
 * The rules of the lists that pages show: the rules of GET /api/tickets, applied to one changed ticket.
 * tickets/tests/list_cases.json has examples that the tests of the service and of the client share.
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

/** The list that the service returns for this query. A query that the service refuses matches nothing. */
export function queryView({ q, minPrice, maxPrice, from, to, sort }: TicketQuery): TicketView {
  // No search matches everything; a search without any word ("?!") matches nothing.
  const searched = q ? wordsOf(q).slice(0, MOST_WORDS) : null;
  const prices = range([minPrice, maxPrice], (text) => (PRICE.test(text) ? Number(text) : Number.NaN));
  const starts = range([from, to], Date.parse);
  const refused = Array.from(q ?? "").length > LONGEST_SEARCH || searched?.length === 0;
  return {
    compare: ORDERS[(sort as TicketSort) || "newest"],
    wants(ticket) {
      if (refused || ticket.status !== "available") return false;
      if (!prices(ticket.price) || !starts(ticket.startsAt ? Date.parse(ticket.startsAt) : null)) return false;
      const words = searched ? wordsOf(`${ticket.title} ${ticket.venue ?? ""}`) : [];
      return (searched ?? []).every((beginning) => words.some((word) => word.startsWith(beginning)));
    },
    // A listing ends by the clock alone: no event announces it.
    keeps: (ticket) => statusAt(ticket, serverClock.now()) !== "ended",
  };
}

const PRICE = /^\d{1,9}(\.\d{1,2})?$/;
const LONGEST_SEARCH = 200;

/** Whether a value is within inclusive bounds; an invalid bound matches nothing, an absent one everything. */
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

/** The user's own listings, in every status. */
export function listingsView(userId: string | undefined): TicketView {
  return {
    compare: ORDERS.newest,
    wants: (ticket) => ticket.userId === userId && ticket.status !== "deleted",
    keeps: () => true,
  };
}
