/** A message box; screen readers announce problems at once and other messages when idle. */
import type { ReactNode } from "react";
import tones from "@/styles/tones.module.css";
import styles from "./Notice.module.css";

interface NoticeProps {
  tone: "info" | "good" | "warn" | "bad";
  title?: string;
  children?: ReactNode;
}

export function Notice({ tone, title, children }: NoticeProps) {
  return (
    <div className={`${styles.notice} ${tones[tone]}`} role={tone === "bad" ? "alert" : "status"}>
      {title && <p className={styles.title}>{title}</p>}
      {typeof children === "string" ? <p>{children}</p> : children}
    </div>
  );
}
