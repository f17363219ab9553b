/** Money and times as people read them. */

const LOCALE = "en-US";

/** Making a formatter costs more than a hundred uses of it, and a list of tickets needs four of them for each. */
function remembered<Formatter>(make: (...by: (string | undefined)[]) => Formatter) {
  const made = new Map<string, Formatter>();
  return (...by: (string | undefined)[]): Formatter => {
    const key = by.join(" ");
    const formatter = made.get(key) ?? make(...by);
    made.set(key, formatter);
    return formatter;
  };
}

const money = remembered((currency) => new Intl.NumberFormat(LOCALE, { style: "currency", currency: currency ?? "" }));
const dateTime = remembered(
  (timeZone) => new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeStyle: "short", timeZone }),
);
const dateParts = remembered(
  (timeZone) => new Intl.DateTimeFormat(LOCALE, { month: "short", day: "numeric", weekday: "short", timeZone }),
);

/** `price` in units of `currency`, for instance `formatPrice(25.5, "usd")` is "$25.50". */
export function formatPrice(price: number, currency: string): string {
  return money(currency.toUpperCase()).format(price);
}

export function formatDateTime(iso: string, timeZone?: string): string {
  return dateTime(timeZone).format(new Date(iso));
}

/** The parts of a ticket stub's date block. */
export function stubDate(iso: string, timeZone?: string): { month: string; day: string; weekday: string } {
  const parts = dateParts(timeZone).formatToParts(new Date(iso));
  const part = (type: string) => parts.find((one) => one.type === type)?.value ?? "";
  return { month: part("month"), day: part("day"), weekday: part("weekday") };
}

/** Milliseconds as m:ss, rounded up so that 0:00 means over. */
export function formatRemaining(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${String(seconds % 60).padStart(2, "0")}`;
}
