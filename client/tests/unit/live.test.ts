/** The rules of live lists, and the format that news arrives in. */
import { describe, expect, it } from "vitest";
import type { Ticket } from "@/lib/api/types";
import { readBrowseState } from "@/lib/browseQuery";
import { EventStreamParser } from "@/lib/live/eventStreamParser";
import type { TicketChange } from "@/lib/live/ticketFeed";
import { applyChange, applyChanges } from "@/lib/live/ticketList";
import { browseView, listingsView } from "@/lib/live/views";
import { listing as ticket } from "./listing";

const changed = (told: Ticket): TicketChange => ({ kind: "changed", ticket: told });
const everything = browseView(readBrowseState({}));
const ids = (list: { items: Ticket[] }) => list.items.map(({ id }) => id).join("");

describe("an event stream's text", () => {
  const text = ': hello\r\n\r\nevent: ready\nid: 41\ndata:\n\nevent: ticket.updated\nid: 42\ndata: {"a":\ndata: 1}\n\n';

  it.each([1, 2, 3, 7, 1000])("means the same in pieces of %i characters", (size) => {
    const parser = new EventStreamParser();
    const events = [];
    for (let at = 0; at < text.length; at += size) events.push(...parser.push(text.slice(at, at + size)));
    expect(events).toEqual([
      { type: "ready", id: "41", data: "" },
      { type: "ticket.updated", id: "42", data: '{"a":\n1}' },
    ]);
  });

  it("does not tell an event that is cut off", () => {
    expect(new EventStreamParser().push("event: ready\ndata: half")).toEqual([]);
  });
});

describe("a live list", () => {
  const list = { items: [ticket("b"), ticket("a", { status: "held", version: 2 })], next: null };

  it("shows a ticket's new state where it stands, even when it no longer matches", () => {
    const after = applyChange(list, changed(ticket("b", { status: "sold", version: 3 })), everything);
    expect(after.items[0]).toMatchObject({ id: "b", status: "sold" });
    expect(ids(after)).toBe("ba");
  });

  it("never goes back to an older version", () => {
    expect(applyChange(list, changed(ticket("a", { version: 1 })), everything)).toBe(list);
    expect(applyChange(list, changed(ticket("a", { version: 2 })), everything)).toBe(list);
  });

  it("drops what was deleted, and nothing else", () => {
    expect(ids(applyChange(list, { kind: "deleted", id: "b", version: 2 }, everything))).toBe("a");
    expect(applyChange(list, { kind: "deleted", id: "x", version: 2 }, everything)).toBe(list);
  });

  it("puts a new ticket where its order wants it", () => {
    const later = changed(ticket("c", { createdAt: "2026-05-01T12:00:00.5Z" }));
    expect(ids(applyChange(list, later, everything))).toBe("cba");
    const earlier = changed(ticket("c", { createdAt: "2026-04-01T12:00:00Z" }));
    expect(ids(applyChange(list, earlier, everything))).toBe("bac");
    // There it would be twice once its page is loaded.
    expect(ids(applyChange({ ...list, next: "cursor" }, earlier, everything))).toBe("ba");
  });

  it("puts what was told meanwhile over an answer that is older", () => {
    const told = [changed(ticket("a", { version: 3 })), changed(ticket("d")), { kind: "deleted", id: "b", version: 2 }];
    const after = applyChanges(list, told as TicketChange[], everything);
    expect(after.items.map(({ id, version }) => [id, version])).toEqual([
      ["d", 1],
      ["a", 3],
    ]);
  });
});

describe("a browse page", () => {
  const wants = (query: Record<string, string>, told: Partial<Ticket>) =>
    browseView(readBrowseState(query)).wants(ticket("a", told));

  it.each<[Record<string, string>, Partial<Ticket>, boolean]>([
    [{}, {}, true],
    [{}, { status: "held" }, false],
    [{ q: "evening emile" }, { title: "Émile's EVENINGS" }, true],
    [{ q: "opera" }, { venue: "Opéra Garnier" }, true],
    [{ q: "night" }, { title: "Knight" }, false],
    [{ minPrice: "10", maxPrice: "10" }, { price: 10 }, true],
    [{ minPrice: "10.01" }, { price: 10 }, false],
    [{ maxPrice: "9.99" }, { price: 10 }, false],
    [{ from: "2026-05-01" }, { startsAt: null }, false],
    [{ from: "2026-05-01", to: "2026-05-01" }, { startsAt: "2026-05-01T23:30:00Z" }, true],
    [{ to: "2026-05-01" }, { startsAt: "2026-05-02T00:30:00Z" }, false],
  ])("that asks %j about %j says %s", (query, told, wanted) => expect(wants(query, told)).toBe(wanted));

  it.each([
    ["newest", "cba"],
    ["price", "bca"],
    ["-price", "acb"],
    ["startsAt", "bac"],
  ])("sorted by %s shows %s", (sort, order) => {
    const tickets = [
      ticket("a", { price: 3, startsAt: "2026-07-01T00:00:00Z", createdAt: "2026-05-01T00:00:00Z" }),
      ticket("b", { price: 1, startsAt: "2026-06-01T00:00:00Z", createdAt: "2026-05-01T00:00:00.25Z" }),
      ticket("c", { price: 2, createdAt: "2026-05-01T00:00:01Z" }),
    ];
    expect(ids({ items: tickets.sort(browseView(readBrowseState({ sort })).compare) })).toBe(order);
  });
});

it("my listings want mine in every state", () => {
  const { wants } = listingsView("me");
  expect([wants(ticket("a", { userId: "me", status: "sold" })), wants(ticket("a"))]).toEqual([true, false]);
});
