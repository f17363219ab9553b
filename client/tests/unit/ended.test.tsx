/** A listing whose event starts while the page is open, by the server's clock and not by this computer's. */
import { act, render, renderHook, screen } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { TicketBadge } from "@/components/StatusBadge";
import { useLiveTickets } from "@/hooks/useLiveTickets";
import { useServerClock } from "@/hooks/useServerClock";
import { useTicketStatus } from "@/hooks/useTicketStatus";
import type { Ticket, TicketStatus } from "@/lib/api/types";
import { readBrowseState } from "@/lib/browseQuery";
import { serverClock, whenServerTimeIs } from "@/lib/clock";
import { browseView, listingsView } from "@/lib/live/views";
import { statusAt } from "@/lib/ticketStatus";
import { publish } from "./feed";
import { listing } from "./listing";

vi.mock("@/lib/live/ticketFeed", () => import("./feed"));

const START = Date.parse("2026-06-01T20:00:00Z");
const MINUTE = 60_000;
const concert = (id: string, changes: Partial<Ticket> = {}) =>
  listing(id, { startsAt: new Date(START).toISOString(), ...changes });
const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));

beforeEach(() => {
  vi.useFakeTimers({ now: START - 10 * MINUTE });
  serverIsAhead(0);
});

/** Sets the server's clock to `Date.now()` plus this many milliseconds. */
const serverIsAhead = (ms: number) => vi.spyOn(serverClock, "now").mockImplementation(() => Date.now() + ms);

describe("a listing", () => {
  it.each<[TicketStatus, number, TicketStatus]>([
    ["available", -1, "available"],
    ["available", 0, "ended"],
    ["held", MINUTE, "held"],
    ["sold", MINUTE, "sold"],
    ["deleted", MINUTE, "deleted"],
    ["ended", -1, "ended"],
  ])("that is %s is, %i ms after its start, %s", (status, after, shown) => {
    expect(statusAt(concert("a", { status }), START + after)).toBe(shown);
  });

  it("without a date never ends", () => expect(statusAt(listing("a"), Number.MAX_SAFE_INTEGER)).toBe("available"));

  it("ends when the server's clock says so", async () => {
    serverIsAhead(3 * MINUTE);
    const { result } = renderHook(() => useTicketStatus(concert("a")));
    await pass(7 * MINUTE - 1);
    expect(result.current).toBe("available");
    await pass(1);
    expect(result.current).toBe("ended");
  });

  it("is for sale again when its seller moves the event", async () => {
    const { result, rerender } = renderHook(useTicketStatus, { initialProps: concert("a") });
    await pass(11 * MINUTE);
    expect(result.current).toBe("ended");
    rerender(concert("a", { version: 2, startsAt: new Date(START + 60 * MINUTE).toISOString() }));
    expect(result.current).toBe("available");
    await pass(60 * MINUTE);
    expect(result.current).toBe("ended");
  });

  it("has a badge for every status, including unknown ones", () => {
    for (const status of ["available", "held", "sold", "deleted", "ended", "cancelled", "new" as TicketStatus]) {
      const { container } = render(<TicketBadge status={status as TicketStatus} />);
      expect(container.textContent).not.toBe("");
    }
    expect(screen.getByText("Ended")).toBeDefined();
  });
});

describe("a list of tickets for sale", () => {
  const everything = browseView(readBrowseState({}));
  const load = async () => ({ items: [], next: null });
  const list = (items: Ticket[], view = everything) => {
    const initial = { items, next: null };
    const { result } = renderHook(() => useLiveTickets(initial, view, load));
    return () => result.current.items.map(({ id }) => id).join("");
  };

  it("drops each listing at its start, and keeps held, sold and undated ones", async () => {
    const later = concert("d", { startsAt: new Date(START + 5 * MINUTE).toISOString() });
    const ids = list([
      concert("a"),
      concert("b", { status: "held" }),
      listing("c"),
      later,
      concert("e", { status: "sold" }),
    ]);
    await pass(10 * MINUTE - 1);
    expect(ids()).toBe("abcde");
    await pass(1);
    expect(ids()).toBe("bcde");
    await pass(5 * MINUTE);
    expect(ids()).toBe("bce");
  });

  it("neither shows a started event nor inserts one from a live update", async () => {
    const begun = { startsAt: new Date(START - 60 * MINUTE).toISOString() };
    const ids = list([concert("a", begun), listing("b")]);
    expect(ids()).toBe("b");
    await publish(concert("c", begun));
    await publish(concert("d", { status: "ended" }));
    expect(ids()).toBe("b");
    await publish(concert("b", { ...begun, version: 2 }));
    expect(ids()).toBe("");
  });

  it("drops a held listing when its hold ends after the start", async () => {
    const ids = list([concert("a", { status: "held" })]);
    await pass(15 * MINUTE);
    expect(ids()).toBe("a");
    await publish(concert("a", { version: 2 }));
    expect(ids()).toBe("");
  });

  it("keeps a started event in the seller's own listings", async () => {
    const ids = list([concert("a", { userId: "me" })], listingsView("me"));
    await pass(15 * MINUTE);
    expect(ids()).toBe("a");
  });

  it("uses the time at which the server rendered the page until there is a response", async () => {
    vi.mocked(serverClock.now).mockRestore();
    vi.setSystemTime(START + 60 * MINUTE); // An hour fast.
    const initial = { items: [concert("a")], next: null };
    const { result } = renderHook(() => {
      useServerClock(START - 10 * MINUTE);
      return useLiveTickets(initial, everything, load);
    });
    expect(result.current.items).toHaveLength(1);
    await pass(10 * MINUTE);
    expect(result.current.items).toHaveLength(0);
  });
});

describe("waiting for the server's time", () => {
  it("handles a clock correction, a wait of years, and cancellation", async () => {
    const now = serverIsAhead(0);
    const called = vi.fn();
    whenServerTimeIs(START, called);
    const far = whenServerTimeIs(START + 1_000 * 365 * 24 * 60 * MINUTE, called);
    await pass(MINUTE);
    now.mockImplementation(() => Date.now() + 9 * MINUTE);
    await pass(30_000);
    expect(called).toHaveBeenCalledTimes(1);
    far();
    expect(vi.getTimerCount()).toBe(0);
  });
});
