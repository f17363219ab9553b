/** Converts between `<input type="datetime-local">`, which holds a wall time without a zone, and RFC 3339 UTC. */
import { instantsOf, wallTime } from "./timeZone";

/** `YYYY-MM-DDTHH:mm` as a clock in `zone` shows this instant. Seconds are not shown. */
export function localInputFromIso(iso: string, zone: string): string {
  const wall = new Date(wallTime(Date.parse(iso), zone)).toISOString();
  // Years beyond 9999 have a sign and six digits in ISO 8601, and neither in an input.
  return wall.replace(/^\+0*/, "").replace(/:\d\d\.\d+Z$/, "");
}

/** The wall time of an input's text (see timeZone.ts); NaN if the text is not a time. */
export function wallFromLocalInput(text: string): number {
  const [, year = "", rest = ""] = /^(\d{4,6})(-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)$/.exec(text) ?? [];
  const full = year.length > 4 ? `+${year.padStart(6, "0")}` : year;
  return Date.parse(`${full}${rest}Z`);
}

/** The instants that an input's text may mean in `zone`, as RFC 3339 UTC: none, one, or two when clocks go back. */
export function isosFromLocalInput(text: string, zone: string): string[] {
  const wall = wallFromLocalInput(text);
  return Number.isNaN(wall) ? [] : instantsOf(wall, zone).map((instant) => new Date(instant).toISOString());
}
