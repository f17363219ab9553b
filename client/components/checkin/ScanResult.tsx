/** The result of the last scan, readable from an arm's length; screen readers announce it at once. */
import type { Verdict } from "@/lib/checkin/checkIn";
import styles from "./ScanResult.module.css";
import { wordsOf } from "./words";

/** `null`: nothing was scanned yet. The count tells two scans with the same result apart. */
export type Shown = { count: number; verdict: Verdict | "checking" } | null;

export function ScanResult({ shown }: { shown: Shown }) {
  return (
    // The live region exists before its text: screen readers skip a region that appears together with its text.
    <div role="alert" aria-atomic="true" className={styles.region}>
      {shown === null ? (
        <p className={`${styles.result} ${styles.idle}`}>Ready to scan</p>
      ) : shown.verdict === "checking" ? (
        <p className={`${styles.result} ${styles.idle}`}>Checking…</p>
      ) : (
        <Outcome key={shown.count} verdict={shown.verdict} />
      )}
    </div>
  );
}

function Outcome({ verdict }: { verdict: Verdict }) {
  const { title, text } = wordsOf(verdict);
  return (
    <div className={`${styles.result} ${verdict.admits ? styles.admit : styles.refuse}`}>
      <Mark admits={verdict.admits} />
      <div>
        <p className={styles.title}>{title}</p>
        <p className={styles.text}>{text}</p>
      </div>
    </div>
  );
}

/** A shape beside the colour and the words. */
function Mark({ admits }: { admits: boolean }) {
  return (
    <svg className={styles.mark} viewBox="0 0 48 48" aria-hidden="true">
      <path
        d={admits ? "M8 25l11 11 21-23" : "M11 11l26 26M37 11L11 37"}
        fill="none"
        stroke="currentColor"
        strokeWidth="7"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}
