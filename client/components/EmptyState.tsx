/** What a page shows where there is nothing to show: why, and what to do next. */
import type { ReactNode } from "react";
import styles from "./EmptyState.module.css";

export function EmptyState({ title, text, children }: { title: string; text: string; children?: ReactNode }) {
  return (
    <section className={styles.empty}>
      <h2>{title}</h2>
      <p>{text}</p>
      {children}
    </section>
  );
}
