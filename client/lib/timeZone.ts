/**
 * Wall times and instants of a time zone. A wall time is the time that a clock in the zone shows, stored as the instant
 * (ms) at which a UTC clock shows the same. When clocks go back, a wall time occurs twice; when they go forward, some do
 * not occur.
 */
import { tzOffset } from "@date-fns/tz/tzOffset";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** The browser's own zone, for example "America/New_York"; on the server, the server's. */
export function ownZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** `name` in the runtime's spelling, or "" for an unknown zone. */
export function knownZone(name: string): string {
  try {
    return name && new Intl.DateTimeFormat("en-US", { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return "";
  }
}

/** The zone's name for display: "America/New York". */
export function zoneName(zone: string): string {
  return zone.replaceAll("_", " ");
}

export function wallTime(instant: number, zone: string): number {
  return instant + offsetAt(instant, zone);
}

/** The zone's offset from UTC in milliseconds, positive to the east. */
function offsetAt(instant: number, zone: string): number {
  // Local mean times of the nineteenth century have offsets with seconds, which are fractions of a minute here.
  return Math.round(tzOffset(zone, new Date(instant)) * MINUTE_MS);
}

/** The instants (ms) at which clocks in this zone show `wall`: one, two where it repeats, none where it is skipped. */
export function instantsOf(wall: number, zone: string): number[] {
  // Offsets are less than a day, so the offsets a day before and a day after include every possible one.
  const candidates = new Set([-DAY_MS, DAY_MS].map((way) => wall - offsetAt(wall + way, zone)));
  return [...candidates].filter((instant) => wallTime(instant, zone) === wall).sort((one, other) => one - other);
}

/** Clocks go from `from` straight to `to` (wall times) at the instant `at`. */
export interface SkippedTime {
  at: number;
  from: number;
  to: number;
}

/** The range of skipped wall times around `wall`, which must have no instant. */
export function skippedAround(wall: number, zone: string): SkippedTime {
  let before = wall - 2 * DAY_MS;
  let at = wall + 2 * DAY_MS;
  // Of two instants a millisecond apart the first shows a time before `wall`, the second one after it.
  while (at - before > 1) {
    const middle = Math.floor((before + at) / 2);
    if (wallTime(middle, zone) < wall) before = middle;
    else at = middle;
  }
  return { at, from: wallTime(before, zone) + 1, to: wallTime(at, zone) };
}

/** The first instant of the calendar day that begins with this wall time, which may be skipped or repeated. */
export function startOfDay(midnight: number, zone: string): number {
  return instantsOf(midnight, zone)[0] ?? skippedAround(midnight, zone).at;
}
