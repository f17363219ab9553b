/** A part of the account page, with its heading. */
import { type ReactNode, useId } from "react";
import styles from "@/styles/page.module.css";

export function AccountSection({ title, children }: { title: string; children: ReactNode }) {
  const id = useId();
  return (
    <section className={styles.card} aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {children}
    </section>
  );
}
