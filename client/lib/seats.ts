/** The numbers of seats of listings and orders. */
import type { Ticket } from "./api/types";

/** The maximum number of seats of one order (POST /api/orders). */
export const MAX_SEATS_PER_ORDER = 10;

/** The maximum number of seats of one listing (POST /api/tickets). */
export const MAX_SEATS_PER_LISTING = 20_000;

/** For example "12 of 200 left"; null for a listing of one seat, whose status says the same. */
export function seatsLeft({ quantity, available }: Pick<Ticket, "quantity" | "available">): string | null {
  return quantity > 1 ? `${available} of ${quantity} left` : null;
}

/** "1 ticket", "3 tickets". */
export function countTickets(count: number): string {
  return `${count} ${count === 1 ? "ticket" : "tickets"}`;
}

/** Computed in cents, because products of decimals have rounding errors. */
export function totalPrice(price: number, quantity: number): number {
  return (Math.round(price * 100) * quantity) / 100;
}

/** Seat numbers in order, with ranges: [9, 4, 5, 6] is "4–6, 9". */
export function formatSeats(seats: number[]): string {
  const ranges: { first: number; last: number }[] = [];
  for (const seat of seats.toSorted((one, other) => one - other)) {
    const range = ranges.at(-1);
    if (range && seat === range.last + 1) range.last = seat;
    else ranges.push({ first: seat, last: seat });
  }
  return ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}–${last}`)).join(", ");
}
