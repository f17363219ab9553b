/** The remaining time of a hold; screen readers announce it at five minutes, at one minute and at the end, not every second. */
import { formatRemaining } from "@/lib/format";
import styles from "./Countdown.module.css";

interface Props {
  /** Milliseconds; zero or less means the time is up. */
  remainingMs: number;
  totalMs: number;
}

const LATE_MS = 60_000;

export function Countdown({ remainingMs, totalMs }: Props) {
  // The estimated server clock may be off by some tenths of a second: never show more than the full hold time.
  const left = Math.min(Math.max(0, remainingMs), totalMs);
  return (
    <div className={styles.countdown}>
      <div className={styles.line}>
        <span>{left > 0 ? "Held for you for" : "Your hold has expired"}</span>
        <span className={`${styles.time} ${left <= LATE_MS ? styles.late : ""}`} role="timer" aria-live="off">
          {formatRemaining(left)}
        </span>
      </div>
      <progress className={styles.bar} max={totalMs} value={left} aria-label="Time left" />
      <p className="visuallyHidden" role="status">
        {spoken(left)}
      </p>
    </div>
  );
}

function spoken(left: number): string {
  if (left === 0) return "Your hold has expired.";
  if (left <= LATE_MS) return "Less than one minute left to pay.";
  if (left <= 5 * LATE_MS) return "Less than five minutes left to pay.";
  return "";
}
