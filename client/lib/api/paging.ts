/** Lists that are longer than one page of the services. */
import type { Page } from "./client";

/** The number of items of a page that no request has chosen, and the most that one request may ask for. */
export const PAGE = 20;
const LARGEST_PAGE = 100;

export type LoadPage<Item> = (query: { cursor?: string; limit?: string }, signal?: AbortSignal) => Promise<Page<Item>>;

/** The first `count` items, and at least a page; `Infinity` loads the whole list. */
export async function loadItems<Item extends { id: string }>(load: LoadPage<Item>, count: number): Promise<Page<Item>> {
  let loaded: Page<Item> = { items: [], next: null };
  do {
    const limit = Math.min(LARGEST_PAGE, Math.max(PAGE, count - loaded.items.length));
    loaded = append(loaded, await load({ limit: String(limit), ...(loaded.next && { cursor: loaded.next }) }));
  } while (loaded.next && loaded.items.length < count);
  return loaded;
}

/** The list with a further page of it. */
export function append<Item extends { id: string }>(list: Page<Item>, page: Page<Item>): Page<Item> {
  const known = new Set(list.items.map((item) => item.id));
  return { items: [...list.items, ...page.items.filter((item) => !known.has(item.id))], next: page.next };
}

const NEXT = /<([^>]*)>\s*;[^,]*\brel="?next"?/i;

/** The cursor of the next page, from a Link header (RFC 8288). */
export function nextCursor(header: string | null): string | null {
  const target = header?.match(NEXT)?.[1];
  // The target is path-absolute; URL needs a base to parse it.
  return target ? new URL(target, "http://api.invalid").searchParams.get("cursor") : null;
}
