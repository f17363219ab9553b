/** The browse page keeps its state in its URL: reads and writes the URL, and builds the API query. */
import type { TicketQuery } from "./api/client";
import type { TicketSort } from "./api/types";
import { boundsOfDay } from "./calendarDays";
import { first } from "./returnTo";
import { knownZone, ownZone } from "./timeZone";

export const SORTS: { value: TicketSort; label: string }[] = [
  { value: "newest", label: "Newest" },
  { value: "startsAt", label: "Soonest event" },
  { value: "price", label: "Price: low to high" },
  { value: "-price", label: "Price: high to low" },
];

export interface BrowseState {
  q: string;
  minPrice: string;
  maxPrice: string;
  /** Calendar days, YYYY-MM-DD. */
  from: string;
  to: string;
  /** The time zone of the days, for example "Europe/Berlin"; empty if the address has no known zone. */
  zone: string;
  sort: TicketSort;
  /** The number of pages shown, so that a reload or "back" shows the same list. */
  pages: number;
}

/** The maximum number of pages loaded at once from a URL; the button loads the rest. */
export const MAX_PAGES_ON_LOAD = 10;

export function readBrowseState(query: Record<string, string | string[] | undefined>): BrowseState {
  const text = (name: string) => first(query[name])?.trim() ?? "";
  const sort = SORTS.find(({ value }) => value === text("sort"))?.value ?? "newest";
  return {
    q: text("q"),
    minPrice: text("minPrice"),
    maxPrice: text("maxPrice"),
    from: text("from"),
    to: text("to"),
    zone: knownZone(text("zone")),
    sort,
    pages: Math.max(1, Math.floor(Number(text("pages")) || 1)),
  };
}

export function isFiltered(state: BrowseState): boolean {
  return Boolean(state.q || state.minPrice || state.maxPrice || hasDays(state));
}

export function hasDays(state: BrowseState): boolean {
  return Boolean(state.from || state.to);
}

/** The page's address for a state; default values are left out. */
export function browsePath(state: BrowseState): string {
  const parameters = new URLSearchParams();
  for (const name of ["q", "minPrice", "maxPrice", "from", "to"] as const) {
    if (state[name]) parameters.set(name, state[name]);
  }
  // The zone has a meaning only together with days.
  if (state.zone && hasDays(state)) parameters.set("zone", state.zone);
  if (state.sort !== "newest") parameters.set("sort", state.sort);
  if (state.pages > 1) parameters.set("pages", String(state.pages));
  const text = parameters.toString();
  return text ? `/?${text}` : "/";
}

/** Errors of the day filters, by name; the service's errors would be about instants, which the reader did not type. */
export function dayErrors(state: BrowseState): Record<string, string> {
  const wrong = (["from", "to"] as const).filter((name) => state[name] && !boundsOfDay(state[name], "UTC"));
  return Object.fromEntries(wrong.map((name) => [name, "This date does not exist."]));
}

/**
 * The query for GET /api/tickets: from the first instant of the day `from` to the last instant of the day `to`, in the
 * address's zone or else the runtime's own. A day that does not exist is passed unchanged, so that the service refuses it.
 */
export function ticketQuery(state: BrowseState): TicketQuery {
  const { q, minPrice, maxPrice, from, to, sort } = state;
  const bounds = (day: string) => (day ? boundsOfDay(day, state.zone || ownZone()) : null);
  return { q, minPrice, maxPrice, from: bounds(from)?.from ?? from, to: bounds(to)?.to ?? to, sort };
}
