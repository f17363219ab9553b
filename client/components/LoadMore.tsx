/** The end of a list that goes on: it grows by itself when the reader comes near, or by the button. */
import { useEffect, useRef } from "react";
import type { ApiError } from "@/lib/api/errors";
import { Button } from "./Button";
import styles from "./LoadMore.module.css";
import { Notice } from "./Notice";

interface Props {
  hasMore: boolean;
  loading: boolean;
  error: ApiError | null;
  onMore: () => void;
  /** False: only the button, so that the reader can reach what stands below a very long list. */
  byItself?: boolean;
}

/** How far below the window's edge the end may be when the next page is asked for. */
const AHEAD = "600px";

export function LoadMore({ hasMore, loading, error, onMore, byItself = true }: Props) {
  const end = useRef<HTMLDivElement>(null);
  const more = useRef(onMore);
  useEffect(() => {
    more.current = onMore;
  });
  // After a failure somebody has to press; while a page is on its way the next one is not asked for.
  const watched = hasMore && byItself && !loading && !error;

  useEffect(() => {
    if (!watched || !end.current || typeof IntersectionObserver === "undefined") return;
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && more.current(), {
      rootMargin: AHEAD,
    });
    observer.observe(end.current);
    return () => observer.disconnect();
  }, [watched]);

  if (!hasMore) return null;
  return (
    <div ref={end} className={styles.more}>
      {error && <Notice tone="bad">{error.message}</Notice>}
      <Button look="secondary" busy={loading} onClick={onMore}>
        {error ? "Try again" : "Load more"}
      </Button>
    </div>
  );
}
