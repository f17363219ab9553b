/** The end of a partly loaded list: the next page loads when the reader scrolls near, or by the button. */
import { useEffect, useEffectEvent, useRef } from "react";
import type { ApiError } from "@/lib/api/errors";
import { Button } from "./Button";
import styles from "./LoadMore.module.css";
import { Notice } from "./Notice";

interface Props {
  hasMore: boolean;
  loading: boolean;
  error: ApiError | null;
  onMore: () => void;
  /** False: only the button loads, so that the reader can reach what is below a very long list. */
  automatic?: boolean;
}

/** The distance between the window's lower edge and the list's end at which the next page is requested. */
const AHEAD = "600px";

export function LoadMore({ hasMore, loading, error, onMore, automatic = true }: Props) {
  const end = useRef<HTMLDivElement>(null);
  const more = useEffectEvent(onMore);
  // After a failure only the button loads; while a page is loading, the next one is not requested.
  const watched = hasMore && automatic && !loading && !error;

  useEffect(() => {
    if (!watched || !end.current) return;
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && more(), {
      rootMargin: AHEAD,
    });
    observer.observe(end.current);
    return () => observer.disconnect();
  }, [watched]);

  if (!hasMore) return null;
  return (
    <div ref={end} className={styles.more}>
      {error && <Notice tone="bad">{error.message}</Notice>}
      <Button variant="secondary" busy={loading} onClick={onMore}>
        {error ? "Try again" : "Load more"}
      </Button>
    </div>
  );
}
