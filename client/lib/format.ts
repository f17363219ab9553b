/** Money and times as people read them. */

const LOCALE = "en-US";

/** `price` in units of `currency`, for instance `formatPrice(25.5, "usd")` is "$25.50". */
export function formatPrice(price: number, currency: string): string {
  return new Intl.NumberFormat(LOCALE, { style: "currency", currency: currency.toUpperCase() }).format(price);
}

export function formatDateTime(iso: string, timeZone?: string): string {
  return new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeStyle: "short", timeZone }).format(new Date(iso));
}

/** The parts of a ticket stub's date block. */
export function stubDate(iso: string, timeZone?: string): { month: string; day: string; weekday: string } {
  const part = (options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat(LOCALE, { ...options, timeZone }).format(new Date(iso));
  return { month: part({ month: "short" }), day: part({ day: "numeric" }), weekday: part({ weekday: "short" }) };
}

/** Milliseconds as m:ss, rounded up so that 0:00 means over. */
export function formatRemaining(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${String(seconds % 60).padStart(2, "0")}`;
}
