/** The end of a list that goes on. */
import type { ApiError } from "@/lib/api/errors";
import { Button } from "./Button";
import styles from "./LoadMore.module.css";
import { Notice } from "./Notice";

interface Props {
  hasMore: boolean;
  loading: boolean;
  error: ApiError | null;
  onMore: () => void;
}

export function LoadMore({ hasMore, loading, error, onMore }: Props) {
  if (!hasMore) return null;
  return (
    <div className={styles.more}>
      {error && <Notice tone="bad">{error.message}</Notice>}
      <Button look="secondary" busy={loading} onClick={onMore}>
        {error ? "Try again" : "Load more"}
      </Button>
    </div>
  );
}
