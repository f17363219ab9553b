/** The browse page's state is its URL: this reads the URL, writes it, and turns it into the API's query. */
import type { TicketQuery } from "./api/client";
import type { TicketSort } from "./api/types";
import { first } from "./returnTo";

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
    sort,
    pages: Math.max(1, Math.floor(Number(text("pages")) || 1)),
  };
}

export function isFiltered(state: BrowseState): boolean {
  return Boolean(state.q || state.minPrice || state.maxPrice || state.from || state.to);
}

/** The page's own address for a state; defaults are left out so that addresses stay short. */
export function browsePath(state: BrowseState): string {
  const parameters = new URLSearchParams();
  for (const name of ["q", "minPrice", "maxPrice", "from", "to"] as const) {
    if (state[name]) parameters.set(name, state[name]);
  }
  if (state.sort !== "newest") parameters.set("sort", state.sort);
  if (state.pages > 1) parameters.set("pages", String(state.pages));
  const text = parameters.toString();
  return text ? `/?${text}` : "/";
}

/** What GET /api/tickets is asked. Days are taken as UTC days, because the server cannot know the reader's zone. */
export function ticketQuery(state: BrowseState): TicketQuery {
  return {
    q: state.q,
    minPrice: state.minPrice,
    maxPrice: state.maxPrice,
    from: state.from && `${state.from}T00:00:00Z`,
    to: state.to && `${state.to}T23:59:59Z`,
    sort: state.sort,
  };
}
