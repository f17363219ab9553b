/** The cases of tickets/tests/list_cases.json: a live list matches what the service matches, in the same order. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { TicketQuery } from "@/lib/api/client";
import type { Ticket } from "@/lib/api/types";
import { queryView } from "@/lib/live/views";
import { wordsOf } from "@/lib/live/words";
import { listing } from "./listing";

interface Cases {
  words: [string, string[]][];
  matches: { why: string; query: TicketQuery; ticket: Partial<Ticket>; found: boolean }[];
  refused: TicketQuery[];
  orders: { tickets: Partial<Ticket>[]; sorted: Record<string, number[]> }[];
}

const FILE = join(import.meta.dirname, "..", "..", "..", "tickets", "tests", "list_cases.json");
const cases: Cases = JSON.parse(readFileSync(FILE, "utf8"));

describe("a live list", () => {
  it.each(cases.words)("reads %j as %j", (text, words) => expect(wordsOf(text)).toEqual(words));

  it.each(cases.matches)("$why", ({ query, ticket, found }) => {
    expect(queryView(query).wants(listing("a", { title: "Seat 7", price: 10, ...ticket }))).toBe(found);
  });

  it.each(cases.refused)("finds nothing with %j, which the service refuses", (query) => {
    const { wants } = queryView(query);
    const startsAt = "2999-06-01T12:00:00Z";
    for (const price of [0.5, 10, 15, 20, 1000])
      expect(wants(listing("a", { title: "x", price, startsAt }))).toBe(false);
  });

  it.each(cases.orders)("has the order of case %#", ({ tickets, sorted }) => {
    const listed = tickets.map((ticket, n) => listing(String(n), ticket));
    for (const [sort, order] of Object.entries(sorted)) {
      const shown = listed.toSorted(queryView({ sort }).compare);
      expect(
        shown.map(({ id }) => Number(id)),
        sort,
      ).toEqual(order);
    }
  });
});
