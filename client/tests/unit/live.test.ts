/** How changes of tickets update a live list; listCases.test.ts has the rules of search and order. */
import { describe, expect, it } from "vitest";
import type { Ticket } from "@/lib/api/types";
import { readBrowseState } from "@/lib/browseQuery";
import type { TicketChange } from "@/lib/live/ticketFeed";
import { applyChange, applyChanges } from "@/lib/live/ticketList";
import { browseView, listingsView } from "@/lib/live/views";
import { listing as ticket } from "./listing";

const changed = (received: Ticket): TicketChange => ({ id: received.id, ticket: received });
const everything = browseView(readBrowseState({}));
const ids = (list: { items: Ticket[] }) => list.items.map(({ id }) => id).join("");

describe("a live list", () => {
  const list = { items: [ticket("b"), ticket("a", { status: "held", version: 2 })], next: null };

  it("shows a ticket's new state at its position, even if it no longer matches", () => {
    const after = applyChange(list, changed(ticket("b", { status: "sold", version: 3 })), everything);
    expect(after.items[0]).toMatchObject({ id: "b", status: "sold" });
    expect(ids(after)).toBe("ba");
  });

  it("never replaces a version with an older one", () => {
    expect(applyChange(list, changed(ticket("a", { version: 1 })), everything)).toBe(list);
    expect(applyChange(list, changed(ticket("a", { version: 2 })), everything)).toBe(list);
  });

  it("drops only deleted tickets", () => {
    expect(ids(applyChange(list, { id: "b", ticket: null }, everything))).toBe("a");
    expect(applyChange(list, { id: "x", ticket: null }, everything)).toBe(list);
  });

  it("inserts a new ticket by its order", () => {
    const later = changed(ticket("c", { createdAt: "2026-05-01T12:00:00.5Z" }));
    expect(ids(applyChange(list, later, everything))).toBe("cba");
    const earlier = changed(ticket("c", { createdAt: "2026-04-01T12:00:00Z" }));
    expect(ids(applyChange(list, earlier, everything))).toBe("bac");
    // It would appear twice once its page is loaded.
    expect(ids(applyChange({ ...list, next: "cursor" }, earlier, everything))).toBe("ba");
  });

  it("applies received changes to an older response", () => {
    const received = [changed(ticket("a", { version: 3 })), changed(ticket("d")), { id: "b", ticket: null }];
    const after = applyChanges(list, received, everything);
    expect(after.items.map(({ id, version }) => [id, version])).toEqual([
      ["d", 1],
      ["a", 3],
    ]);
  });
});

it("my listings contain the user's own in every status", () => {
  const { wants } = listingsView("me");
  expect([wants(ticket("a", { userId: "me", status: "sold" })), wants(ticket("a"))]).toEqual([true, false]);
});
