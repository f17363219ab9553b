/** What a page shows where there is nothing to show: why, and what to do next. */
import type { ReactNode } from "react";
import styles from "./EmptyState.module.css";

interface Props {
  title: string;
  text: string;
  /** h1 where nothing else on the page is the heading. */
  heading?: "h1" | "h2";
  children?: ReactNode;
}

export function EmptyState({ title, text, heading: Heading = "h2", children }: Props) {
  return (
    <section className={styles.empty}>
      <Heading>{title}</Heading>
      <p>{text}</p>
      {children}
    </section>
  );
}
