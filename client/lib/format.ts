/** Formats money and times for display. */

/*
 * Without Intl: the product is in American English only, and on a slow phone the first use of an Intl formatter takes
 * longer than the rendering of all tickets.
 */
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** The zone a time is shown in: the server knows only UTC, the browser knows the reader's zone. */
export type Zone = "UTC" | "local";

/** `price` in units of `currency`, for example `formatPrice(25.5, "usd")` is "$25.50". */
export function formatPrice(price: number, currency: string): string {
  const amount = price.toFixed(2).replace(/\B(?=(\d{3})+\.)/g, ",");
  return currency.toLowerCase() === "usd" ? `$${amount}` : `${currency.toUpperCase()} ${amount}`;
}

/**
 * For example "Jun 1, 2026, 7:30 PM". `offset` says when the offset from UTC is added, as in "(UTC−4)": always, or only
 * where the reader's clocks show this time twice.
 */
export function formatDateTime(iso: string, zone: Zone = "local", offset: "always" | "repeated" = "repeated"): string {
  const moment = inZone(iso, zone);
  const hour = moment.getUTCHours();
  const minute = String(moment.getUTCMinutes()).padStart(2, "0");
  const time = `${hour % 12 || 12}:${minute} ${hour < 12 ? "AM" : "PM"}`;
  const text = `${MONTHS[moment.getUTCMonth()]} ${moment.getUTCDate()}, ${moment.getUTCFullYear()}, ${time}`;
  if (zone === "UTC") return offset === "always" ? `${text} (UTC)` : text;
  return offset === "always" || isRepeated(new Date(iso)) ? `${text} (${formatOffset(new Date(iso))})` : text;
}

/** Whether the reader's clocks show this time twice, because they go back. */
function isRepeated(moment: Date): boolean {
  const own = moment.getTimezoneOffset();
  return [-DAY_MS, DAY_MS].some((way) => {
    const other = new Date(moment.getTime() + way).getTimezoneOffset();
    const twin = new Date(moment.getTime() + (other - own) * MINUTE_MS);
    return other !== own && twin.getTimezoneOffset() === other;
  });
}

/** For example "UTC−4" or "UTC+5:30". */
function formatOffset(moment: Date): string {
  const east = -moment.getTimezoneOffset();
  const minutes = Math.abs(east) % 60;
  const size = String(Math.floor(Math.abs(east) / 60)) + (minutes ? `:${String(minutes).padStart(2, "0")}` : "");
  return east === 0 ? "UTC" : `UTC${east < 0 ? "−" : "+"}${size}`;
}

/** The parts of a ticket card's date block. */
export function stubDate(iso: string, zone: Zone = "local"): { month: string; day: string; weekday: string } {
  const moment = inZone(iso, zone);
  return {
    month: MONTHS[moment.getUTCMonth()] ?? "",
    day: String(moment.getUTCDate()),
    weekday: WEEKDAYS[moment.getUTCDay()] ?? "",
  };
}

/** A date whose UTC fields show the local time of that zone. */
function inZone(iso: string, zone: Zone): Date {
  const moment = new Date(iso);
  return zone === "UTC" ? moment : new Date(moment.getTime() - moment.getTimezoneOffset() * MINUTE_MS);
}

/** Milliseconds as m:ss, rounded up, so that 0:00 means expired. */
export function formatRemaining(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${String(seconds % 60).padStart(2, "0")}`;
}

/** A time to wait in whole seconds or, if it is long, in minutes, rounded up: "1 second", "12 minutes". */
export function formatWait(seconds: number): string {
  const [count, unit] = seconds < 90 ? [Math.ceil(seconds), "second"] : [Math.ceil(seconds / 60), "minute"];
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}
