/** Shown where a page has no content: the reason, and what to do next. */
import type { ReactNode } from "react";
import styles from "./EmptyState.module.css";

interface Props {
  title: string;
  text: string;
  /** h1 where the page has no other heading. */
  heading?: "h1" | "h2" | "h3";
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
