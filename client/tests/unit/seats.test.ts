/** The numbers of seats of listings and orders. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatSeats, seatsLeft, totalPrice } from "@/lib/seats";
import { listing } from "./listing";

it("a listing shows how many of its seats are free, unless it has one seat", () => {
  expect(seatsLeft(listing("a", { quantity: 200, available: 12 }))).toBe("12 of 200 left");
  expect(seatsLeft(listing("a"))).toBeNull();
});

describe("an order", () => {
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
