/** Shown where a page has no content: the reason, and what to do next. */
import type { ReactNode } from "react";
import { useFocusOnShow } from "@/hooks/useFocusOnShow";
import styles from "./EmptyState.module.css";

interface Props {
  title: string;
  text: string;
  /** h1 where the page has no other heading. */
  heading?: "h1" | "h2" | "h3";
  /** True where it replaces what had the focus. */
  takesFocus?: boolean;
  children?: ReactNode;
}

export function EmptyState({ title, text, heading: Heading = "h2", takesFocus = false, children }: Props) {
  const target = useFocusOnShow<HTMLHeadingElement>(takesFocus);
  return (
    <section className={styles.empty}>
      <Heading ref={target} tabIndex={takesFocus ? -1 : undefined}>
        {title}
      </Heading>
      <p>{text}</p>
      {children}
    </section>
  );
}
