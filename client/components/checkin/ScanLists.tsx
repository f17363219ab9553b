/** What this device has scanned: admissions that another device or the server contradicts, and the latest scans. */
import { conflictsOf } from "@/lib/checkin/checkIn";
import type { Scan } from "@/lib/checkin/store";
import page from "@/styles/page.module.css";
import { LocalTime } from "../LocalTime";
import styles from "./ScanLists.module.css";
import { conflictOf } from "./words";

const SHOWN = 10;

export function Conflicts({ scans }: { scans: Scan[] }) {
  const conflicts = conflictsOf(scans);
  if (conflicts.length === 0) return null;
  return (
    <section className={`${page.card} ${styles.conflicts}`} aria-labelledby="conflicts">
      <h2 id="conflicts">{countConflicts(conflicts.length)}</h2>
      <p>This device admitted these passes while it could not ask the server, which refused them later.</p>
      <ul className={styles.list}>
        {conflicts.map((scan) => (
          <li key={scan.passId}>
            <strong>{`Seat ${scan.seat}`}</strong>
            <span>
              Admitted here at <LocalTime iso={isoOf(scan.admittedAt ?? scan.scannedAt)} />. {conflictOf(scan)}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

export function countConflicts(count: number): string {
  return count === 1 ? "1 admission to look into" : `${count} admissions to look into`;
}

export function LatestScans({ scans }: { scans: Scan[] }) {
  if (scans.length === 0) return null;
  return (
    <section className={page.card} aria-labelledby="scans">
      <h2 id="scans">Latest scans on this device</h2>
      <ul className={styles.list}>
        {scans.slice(0, SHOWN).map((scan) => (
          <li key={scan.passId}>
            <strong>{`Seat ${scan.seat}`}</strong>
            <span>
              <LocalTime iso={isoOf(scan.scannedAt)} />, {stateOf(scan)}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function stateOf({ state, admittedAt }: Scan): string {
  if (state === "refused") return admittedAt === null ? "refused" : "admitted, refused later";
  if (admittedAt === null) return "not decided yet";
  return state === "waiting" ? "admitted, not sent yet" : "admitted";
}

function isoOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
