/** The lists that the pages show, as rules: they repeat GET /api/tickets for one ticket that has just changed. */
import type { TicketSort } from "../api/types";
import { type BrowseState, ticketQuery } from "../browseQuery";
import type { TicketView } from "./ticketList";

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
  startsAt: undatedLast(rising(byStart)),
  "-startsAt": undatedLast(falling(byStart)),
};

function rising(compare: Compare): Compare {
  return (one, other) => compare(one, other) || byId(one, other);
}

function falling(compare: Compare): Compare {
  return (one, other) => -rising(compare)(one, other);
}

function undatedLast(compare: Compare): Compare {
  return (one, other) => {
    if (one.startsAt && other.startsAt) return compare(one, other);
    return Number(!one.startsAt) - Number(!other.startsAt) || byId(one, other);
  };
}

export function browseView(state: BrowseState): TicketView {
  const { minPrice, maxPrice, from, to } = ticketQuery(state);
  const asked = wordsOf(state.q);
  const within = (value: number, least: number, most: number) => !(value < least) && !(value > most);
  return {
    compare: ORDERS[state.sort],
    wants(ticket) {
      if (ticket.status !== "available") return false;
      // Comparisons with NaN are false: a bound that is not given bounds nothing.
      if (!within(ticket.price, Number(minPrice || Number.NaN), Number(maxPrice || Number.NaN))) return false;
      if ((from || to) && !ticket.startsAt) return false;
      if (!within(Date.parse(ticket.startsAt ?? ""), Date.parse(from ?? ""), Date.parse(to ?? ""))) return false;
      const words = wordsOf(`${ticket.title} ${ticket.venue ?? ""}`);
      return asked.every((beginning) => words.some((word) => word.startsWith(beginning)));
    },
  };
}

export function listingsView(userId: string | undefined): TicketView {
  return { compare: ORDERS.newest, wants: (ticket) => ticket.userId === userId };
}

/** Without case and accents, as the service folds them. */
function wordsOf(text: string): string[] {
  return (
    text
      .normalize("NFKD")
      .replace(/\p{M}/gu, "")
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? []
  );
}
