/** Between `<input type="datetime-local">`, which speaks local time without a zone, and RFC 3339 UTC. */

export function isoFromLocalInput(value: string): string | null {
  const moment = new Date(value);
  return Number.isNaN(moment.getTime()) ? null : moment.toISOString();
}

export function localInputFromIso(iso: string): string {
  const moment = new Date(iso);
  const shifted = new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 16);
}
