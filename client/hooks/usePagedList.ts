/** A list that grows by its cursor: starts from what the server rendered, appends a page at a time. */
import { useEffect, useRef, useState } from "react";
import type { Page } from "@/lib/api/client";
import { ApiError } from "@/lib/api/errors";

interface PagedList<Item> {
  items: Item[];
  hasMore: boolean;
  loading: boolean;
  error: ApiError | null;
  /** Resolves to true when a page was added. */
  loadMore: () => Promise<boolean>;
}

export function usePagedList<Item extends { id: string }>(
  initial: Page<Item>,
  load: (cursor: string, signal: AbortSignal) => Promise<Page<Item>>,
): PagedList<Item> {
  const [basis, setBasis] = useState(initial);
  const [list, setList] = useState(initial);
  const [loading, setLoading] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const request = useRef<AbortController>(undefined);

  if (basis !== initial) {
    // The server rendered another list (new filters): what was appended belongs to the old one.
    setBasis(initial);
    setList(initial);
    setLoading(false);
    setError(null);
  }
  // biome-ignore lint/correctness/useExhaustiveDependencies: a request that extends the old list must end with it.
  useEffect(() => () => request.current?.abort(), [initial]);

  async function loadMore(): Promise<boolean> {
    if (!list.next || loading) return false;
    const controller = new AbortController();
    request.current = controller;
    const { signal } = controller;
    setLoading(true);
    setError(null);
    try {
      const page = await load(list.next, signal);
      if (signal.aborted) return false;
      const known = new Set(list.items.map((item) => item.id));
      setList({ items: [...list.items, ...page.items.filter((item) => !known.has(item.id))], next: page.next });
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

  return { items: list.items, hasMore: list.next !== null, loading, error, loadMore };
}
