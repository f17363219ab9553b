/** The rules of live lists, and the format of the event stream. */
import { describe, expect, it } from "vitest";
import type { Ticket } from "@/lib/api/types";
import { readBrowseState } from "@/lib/browseQuery";
import { EventStreamParser } from "@/lib/live/eventStreamParser";
import type { TicketChange } from "@/lib/live/ticketFeed";
import { applyChange, applyChanges } from "@/lib/live/ticketList";
import { browseView, listingsView } from "@/lib/live/views";
import { listing as ticket } from "./listing";

const changed = (received: Ticket): TicketChange => ({ kind: "changed", ticket: received });
const everything = browseView(readBrowseState({}));
const ids = (list: { items: Ticket[] }) => list.items.map(({ id }) => id).join("");

describe("an event stream's text", () => {
  const text = ': hello\r\n\r\nevent: ready\nid: 41\ndata:\n\nevent: ticket.updated\nid: 42\ndata: {"a":\ndata: 1}\n\n';

  it.each([1, 2, 3, 7, 1000])("is parsed to the same events in chunks of %i characters", (size) => {
    const parser = new EventStreamParser();
    const events = [];
    for (let at = 0; at < text.length; at += size) events.push(...parser.push(text.slice(at, at + size)));
    expect(events).toEqual([
      { type: "ready", id: "41", data: "" },
      { type: "ticket.updated", id: "42", data: '{"a":\n1}' },
    ]);
  });

  it("drops an incomplete event", () => {
    expect(new EventStreamParser().push("event: ready\ndata: half")).toEqual([]);
  });
});

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
    expect(ids(applyChange(list, { kind: "deleted", id: "b", version: 2 }, everything))).toBe("a");
    expect(applyChange(list, { kind: "deleted", id: "x", version: 2 }, everything)).toBe(list);
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
    const received = [
      changed(ticket("a", { version: 3 })),
      changed(ticket("d")),
      { kind: "deleted", id: "b", version: 2 },
    ];
    const after = applyChanges(list, received as TicketChange[], everything);
    expect(after.items.map(({ id, version }) => [id, version])).toEqual([
      ["d", 1],
      ["a", 3],
    ]);
  });
});

describe("a browse page", () => {
  const wants = (query: Record<string, string>, received: Partial<Ticket>) =>
    browseView(readBrowseState(query)).wants(ticket("a", received));

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
  ])("with the query %j and the ticket %j: %s", (query, received, wanted) =>
    expect(wants(query, received)).toBe(wanted),
  );

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

it("my listings contain the user's own in every status", () => {
  const { wants } = listingsView("me");
  expect([wants(ticket("a", { userId: "me", status: "sold" })), wants(ticket("a"))]).toEqual([true, false]);
});
