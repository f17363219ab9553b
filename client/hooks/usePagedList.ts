/** A list that grows by its cursor: starts from what the server rendered, appends a page at a time. */
import { useCallback, useEffect, useLayoutEffect, useReducer, useRef } from "react";
import type { Page } from "@/lib/api/client";
import { ApiError, ignoreFailure } from "@/lib/api/errors";
import { append, type LoadPage, loadItems } from "@/lib/api/paging";

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

export function usePagedList<Item extends { id: string }>(
  initial: Page<Item>,
  load: LoadPage<Item>,
  /** Applied to every answer, which may be older than what is known from elsewhere. */
  mend: (list: Page<Item>) => Page<Item> = (list) => list,
): PagedList<Item> {
  // React applies a queued action with the reducer of the render that processes it, so an action that was dispatched for
  // a list that the server has replaced meanwhile is dropped, in whichever order the two are rendered.
  const [held, dispatch] = useReducer(
    (last: Held<Item>, { basis, change }: Action<Item>) => {
      if (basis !== initial) return last;
      const present = presentOf(last, initial);
      const next = { ...present, ...change(present) };
      return isSame(next, present) ? last : next;
    },
    initial,
    unchanged<Item>,
  );
  const { list, loading, error } = presentOf(held, initial);
  const more = useRef<AbortController>(undefined);
  const again = useRef<AbortController>(undefined);
  const shown = useRef({ load, mend, list, initial });
  // What is on the screen, not what is being rendered: a rendering may be interrupted or thrown away.
  useLayoutEffect(() => {
    shown.current = { load, mend, list, initial };
  });

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
    const set = (change: Change<Item>) => dispatch({ basis: initial, change });
    set(() => ({ loading: true, error: null }));
    try {
      const page = await load({ cursor: list.next }, signal);
      if (signal.aborted) return false;
      set((present) => ({ list: mend(append(present.list, page)), loading: false }));
      return true;
    } catch (failure) {
      if (signal.aborted) return false;
      set(() => ({ loading: false }));
      if (!(failure instanceof ApiError)) throw failure;
      set(() => ({ error: failure }));
      return false;
    }
  }

  const update = useCallback((change: (list: Page<Item>) => Page<Item>) => {
    dispatch({ basis: shown.current.initial, change: (present) => ({ list: change(present.list) }) });
  }, []);

  const reload = useCallback(() => {
    again.current?.abort();
    more.current?.abort();
    const controller = new AbortController();
    again.current = controller;
    const { initial: basis, list, load } = shown.current;
    dispatch({ basis, change: () => ({ loading: false }) });
    loadItems((query) => load(query, controller.signal), list.items.length).then((fresh) => {
      if (controller.signal.aborted) return;
      const list = shown.current.mend(fresh);
      dispatch({ basis, change: () => ({ list }) });
    }, ignoreFailure);
  }, []);

  return { items: list.items, hasMore: list.next !== null, loading, error, loadMore, reload, update };
}

/** What is shown, and the list of the server that it has grown from. */
interface Held<Item> {
  basis: Page<Item>;
  list: Page<Item>;
  loading: boolean;
  error: ApiError | null;
}

type Change<Item> = (present: Held<Item>) => Partial<Omit<Held<Item>, "basis">>;

interface Action<Item> {
  basis: Page<Item>;
  change: Change<Item>;
}

function unchanged<Item>(initial: Page<Item>): Held<Item> {
  return { basis: initial, list: initial, loading: false, error: null };
}

/** What was appended to another list of the server, for instance before the filters changed, belongs to that list. */
function presentOf<Item>(held: Held<Item>, initial: Page<Item>): Held<Item> {
  return held.basis === initial ? held : unchanged(initial);
}

function isSame<Item>(one: Held<Item>, other: Held<Item>): boolean {
  return one.list === other.list && one.loading === other.loading && one.error === other.error;
}
