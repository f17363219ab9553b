/** What a part of a page shows while its data loads, and after a failure. */
import type { Loaded } from "@/hooks/useLoaded";
import styles from "@/styles/page.module.css";
import { Button } from "./Button";
import { Notice } from "./Notice";

interface Props {
  of: Loaded<unknown>;
  /** The label of the button that loads again. */
  again: string;
}

export function LoadState({ of: { result, error, load }, again }: Props) {
  if (error) {
    return (
      <div className={styles.actions}>
        <Notice tone="bad">{error.message}</Notice>
        <Button variant="secondary" onClick={() => load()}>
          {again}
        </Button>
      </div>
    );
  }
  return result ? null : <p>Loading…</p>;
}
