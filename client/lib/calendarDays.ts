/** Calendar days of a time zone as bounds of `startsAt`, which GET /api/tickets takes as instants. */
import { startOfDay } from "./timeZone";

/** The range of RFC 3339 times in UTC. */
const FIRST = Date.parse("0001-01-01T00:00:00Z");
const LAST = Date.parse("9999-12-31T23:59:59.999Z");

/** The first and the last millisecond of a day, YYYY-MM-DD; null if the day does not exist. */
export function boundsOfDay(day: string, zone: string): { from: string; to: string } | null {
  const midnight = /^\d{4}-\d\d-\d\d$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN;
  // Date.parse reads 31 April as 1 May.
  if (Number.isNaN(midnight) || new Date(midnight).getUTCDate() !== Number(day.slice(8))) return null;
  const next = new Date(midnight);
  next.setUTCDate(next.getUTCDate() + 1);
  return { from: text(startOfDay(midnight, zone)), to: text(startOfDay(next.getTime(), zone) - 1) };
}

function text(instant: number): string {
  return new Date(Math.min(LAST, Math.max(FIRST, instant))).toISOString();
}
