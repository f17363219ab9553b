/** The numbers of seats of listings and orders, also from a service that does not send them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Order } from "@/lib/api/types";
import { formatSeats, orderTotals, seatsLeft, seatsOf, totalPrice } from "@/lib/seats";
import { listing } from "./listing";

const order = (changes: Partial<Order> = {}): Order => ({
  id: "o",
  userId: "buyer",
  status: "created",
  reason: null,
  version: 1,
  expiresAt: "2026-05-01T12:15:00Z",
  createdAt: "2026-05-01T12:00:00Z",
  ticket: { id: "a", title: "Concert", venue: null, startsAt: null, price: 25.1, currency: "usd" },
  ...changes,
});

describe("a listing", () => {
  it("shows how many of its seats are free", () => {
    const ticket = listing("a", { quantity: 200, available: 12 });
    expect(seatsOf(ticket)).toEqual({ quantity: 200, free: 12 });
    expect(seatsLeft(ticket)).toBe("12 of 200 left");
  });

  it("without numbers is one seat, free while the listing is available", () => {
    expect(seatsOf(listing("a"))).toEqual({ quantity: 1, free: 1 });
    expect(seatsOf(listing("a", { status: "held" }))).toEqual({ quantity: 1, free: 0 });
    expect(seatsLeft(listing("a"))).toBeNull();
  });
});

describe("an order", () => {
  it("has the service's total", () => {
    expect(orderTotals(order({ quantity: 3, seats: [1, 2, 3], total: 75.3 }))).toEqual({ quantity: 3, total: 75.3 });
  });

  it("without numbers is one seat", () => expect(orderTotals(order())).toEqual({ quantity: 1, total: 25.1 }));

  it("costs a whole number of cents", () => {
    expect(totalPrice(25.1, 3)).toBe(75.3);
    const cents = fc.integer({ min: 50, max: 100_000_000 });
    fc.assert(
      fc.property(cents, fc.integer({ min: 1, max: 10 }), (price, quantity) => {
        expect(totalPrice(price / 100, quantity)).toBe((price * quantity) / 100);
      }),
    );
  });

  it.each([
    [[7], "7"],
    [[9, 4, 5, 6], "4–6, 9"],
    [[1, 2], "1–2"],
    [[19_999, 20_000, 3, 1], "1, 3, 19999–20000"],
  ])("with the seats %j shows %s", (seats, text) => expect(formatSeats(seats)).toBe(text));
});
