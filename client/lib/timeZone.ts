/**
 * Wall times and instants of a time zone. A wall time is what a clock there shows, as the milliseconds at which a clock
 * in UTC shows the same. When clocks go back a wall time occurs twice; when they go forward some do not occur at all.
 */
import { tzOffset } from "@date-fns/tz/tzOffset";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** The reader's own zone, for instance "America/New_York"; on the server, the server's. */
export function ownZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** `name` as the runtime spells this zone, or "" when it knows none of that name. */
export function knownZone(name: string): string {
  try {
    return name && new Intl.DateTimeFormat("en-US", { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return "";
  }
}

/** As people read it: "America/New York". */
export function zoneName(zone: string): string {
  return zone.replaceAll("_", " ");
}

export function wallTime(instant: number, zone: string): number {
  return instant + offsetAt(instant, zone);
}

/** Milliseconds that clocks in this zone are ahead of UTC. */
function offsetAt(instant: number, zone: string): number {
  // Local mean times of the nineteenth century have seconds, which are fractions of a minute here.
  return Math.round(tzOffset(zone, new Date(instant)) * MINUTE_MS);
}

/** The instants (ms) at which clocks in this zone show `wall`: one, two where it repeats, none where it is skipped. */
export function instantsOf(wall: number, zone: string): number[] {
  // No zone is more than a day from UTC, so what is in force then is in force a day before or after in UTC.
  const candidates = new Set([-DAY_MS, DAY_MS].map((way) => wall - offsetAt(wall + way, zone)));
  return [...candidates].filter((instant) => wallTime(instant, zone) === wall).sort((one, other) => one - other);
}

/** Clocks go from `from` straight to `to` (wall times) at the instant `at`. */
export interface SkippedTime {
  at: number;
  from: number;
  to: number;
}

/** The stretch of skipped wall times around `wall`, which must have no instant. */
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

/** The first instant of the calendar day that begins with this wall time, which some zones skip or repeat. */
export function startOfDay(midnight: number, zone: string): number {
  return instantsOf(midnight, zone)[0] ?? skippedAround(midnight, zone).at;
}
