/** The browse page's state is its URL: this reads the URL, writes it, and turns it into the API's query. */
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
  /** The time zone of the days, for instance "Europe/Berlin"; empty when the address names none that is known. */
  zone: string;
  sort: TicketSort;
  /** How many pages are shown, so that a reload or "back" finds the same list. */
  pages: number;
}

/** A URL that asks for more pages than this gets this many on load; the button brings the rest. */
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

/** The page's own address for a state; defaults are left out so that addresses stay short. */
export function browsePath(state: BrowseState): string {
  const parameters = new URLSearchParams();
  for (const name of ["q", "minPrice", "maxPrice", "from", "to"] as const) {
    if (state[name]) parameters.set(name, state[name]);
  }
  // Without days it would say nothing.
  if (state.zone && hasDays(state)) parameters.set("zone", state.zone);
  if (state.sort !== "newest") parameters.set("sort", state.sort);
  if (state.pages > 1) parameters.set("pages", String(state.pages));
  const text = parameters.toString();
  return text ? `/?${text}` : "/";
}

/** What is wrong with the days, by the filter's name; the service would complain about instants that no reader has typed. */
export function dayErrors(state: BrowseState): Record<string, string> {
  const wrong = (["from", "to"] as const).filter((name) => state[name] && !boundsOfDay(state[name], "UTC"));
  return Object.fromEntries(wrong.map((name) => [name, "There is no such day."]));
}

/**
 * What GET /api/tickets is asked: everything from the first moment of the day `from` to the last one of `to`, in the
 * address's zone or else in the runtime's own. A day that does not exist is handed on as it is, for the service to refuse.
 */
export function ticketQuery(state: BrowseState): TicketQuery {
  const { q, minPrice, maxPrice, from, to, sort } = state;
  const bounds = (day: string) => (day ? boundsOfDay(day, state.zone || ownZone()) : null);
  return { q, minPrice, maxPrice, from: bounds(from)?.from ?? from, to: bounds(to)?.to ?? to, sort };
}
