/** Reads the event's start from the listing form, which holds wall times of the seller's zone. */
import { invalidInput } from "./api/errors";
import { formatDateTime } from "./format";
import { isosFromLocalInput, localInputFromIso, wallFromLocalInput } from "./localInput";
import { skippedAround, zoneName } from "./timeZone";

export const STARTS_AT = "startsAt";
/** The form field that chooses one of two instants where clocks go back. */
export const STARTS_AT_WHICH = "startsAtWhich";
export type Which = "" | "earlier" | "later";

/**
 * The start as RFC 3339 UTC, null for none. `before` is the listing's present start: if the form still shows it, the
 * result is `before` unchanged, with the seconds that the form does not show. Throws `ApiError` for a time that does not
 * exist, and for a repeated time without a choice.
 */
export function startsAtFrom(form: FormData, before: string | null, zone: string): string | null {
  const text = String(form.get(STARTS_AT) ?? "").trim();
  const which = form.get(STARTS_AT_WHICH) as Which | null;
  if (!text) return null;
  const instants = isosFromLocalInput(text, zone);
  if (before !== null && text === localInputFromIso(before, zone)) {
    if (instants.length < 2 || which === whichOf(before, instants)) return before;
  }
  const [only, later] = instants;
  if (only === undefined) throw invalidInput({ [STARTS_AT]: whyNone(text, zone) });
  if (later === undefined) return only;
  if (which === "earlier") return only;
  if (which === "later") return later;
  throw invalidInput({
    [STARTS_AT_WHICH]: "This time occurs twice, because clocks go back. Choose which one you mean.",
  });
}

/** Which of the two instants of a repeated wall time `iso` is; empty if the time is not repeated. */
export function whichOf(iso: string | null, instants: string[]): Which {
  if (iso === null || instants.length < 2) return "";
  const minute = (text: string | undefined) => Math.floor(Date.parse(text ?? "") / 60_000);
  return minute(iso) === minute(instants[1]) ? "later" : "earlier";
}

function whyNone(text: string, zone: string): string {
  const wall = wallFromLocalInput(text);
  if (Number.isNaN(wall)) return "Enter both a date and a time, or leave both empty.";
  const { from, to } = skippedAround(wall, zone);
  const [last, first] = [from, to].map((time) => formatDateTime(new Date(time).toISOString(), "UTC"));
  return `This time does not exist: clocks in ${zoneName(zone)} go forward from ${last} to ${first}. Choose an earlier or a later time.`;
}
