/** A list that grows by its cursor: starts from what the server rendered, appends a page at a time. */
import { useCallback, useEffect, useRef, useState } from "react";
import type { Page } from "@/lib/api/client";
import { ApiError } from "@/lib/api/errors";

export interface PagedList<Item> {
  items: Item[];
  hasMore: boolean;
  loading: boolean;
  error: ApiError | null;
  /** Resolves to true when a page was added. */
  loadMore: () => Promise<boolean>;
  /** Asks for everything that is shown again, silently; an answer that does not come changes nothing. */
  reload: () => void;
  /** Changes what is shown, for instance because of news. */
  update: (change: (list: Page<Item>) => Page<Item>) => void;
}

/** What one request may ask for. */
const LARGEST_PAGE = 100;

export function usePagedList<Item extends { id: string }>(
  initial: Page<Item>,
  load: (query: { cursor?: string; limit?: string }, signal: AbortSignal) => Promise<Page<Item>>,
  /** Applied to every answer, which may be older than what is known from elsewhere. */
  mend: (list: Page<Item>) => Page<Item> = (list) => list,
): PagedList<Item> {
  const [basis, setBasis] = useState(initial);
  const [list, setList] = useState(initial);
  const [loading, setLoading] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const more = useRef<AbortController>(undefined);
  const again = useRef<AbortController>(undefined);
  const latest = useRef({ load, mend, list, initial });
  latest.current = { load, mend, list, initial };

  if (basis !== initial) {
    // The server rendered another list (new filters): what was appended belongs to the old one.
    setBasis(initial);
    setList(initial);
    setLoading(false);
    setError(null);
  }
  // biome-ignore lint/correctness/useExhaustiveDependencies: requests that belong to the old list must end with it.
  useEffect(
    () => () => {
      more.current?.abort();
      again.current?.abort();
    },
    [initial],
  );

  async function loadMore(): Promise<boolean> {
    if (!list.next || loading) return false;
    const controller = new AbortController();
    more.current = controller;
    const { signal } = controller;
    setLoading(true);
    setError(null);
    try {
      const page = await load({ cursor: list.next }, signal);
      if (signal.aborted) return false;
      setList((shown) => mend(append(shown, page)));
      return true;
    } catch (failure) {
      if (signal.aborted) return false;
      if (!(failure instanceof ApiError)) throw failure;
      setError(failure);
      return false;
    } finally {
      if (!signal.aborted) setLoading(false);
    }
  }

  const reload = useCallback(() => {
    again.current?.abort();
    more.current?.abort();
    setLoading(false);
    const controller = new AbortController();
    again.current = controller;
    const wanted = latest.current.list.items.length;
    const of = latest.current.initial;
    loadFirst(wanted, latest.current.load, controller.signal).then(
      (fresh) => {
        // Another list may be rendered already and not yet shown: only then is this request aborted.
        if (!controller.signal.aborted && latest.current.initial === of) setList(latest.current.mend(fresh));
      },
      (failure) => {
        if (!(controller.signal.aborted || failure instanceof ApiError)) throw failure;
      },
    );
  }, []);

  return { items: list.items, hasMore: list.next !== null, loading, error, loadMore, reload, update: setList };
}

function append<Item extends { id: string }>(shown: Page<Item>, page: Page<Item>): Page<Item> {
  const known = new Set(shown.items.map((item) => item.id));
  return { items: [...shown.items, ...page.items.filter((item) => !known.has(item.id))], next: page.next };
}

async function loadFirst<Item extends { id: string }>(
  count: number,
  load: (query: { cursor?: string; limit?: string }, signal: AbortSignal) => Promise<Page<Item>>,
  signal: AbortSignal,
): Promise<Page<Item>> {
  let loaded: Page<Item> = { items: [], next: null };
  do {
    // A list never gets shorter than the first page, or a short one could not grow again.
    const limit = Math.min(LARGEST_PAGE, Math.max(20, count - loaded.items.length));
    const page = await load({ limit: String(limit), ...(loaded.next && { cursor: loaded.next }) }, signal);
    loaded = append(loaded, page);
  } while (loaded.next && loaded.items.length < count);
  return loaded;
}
