/** When "My orders" reloads: at once for a single ticket, and once for many changes of a listing with several seats. */
import { act, cleanup, renderHook } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { useLiveOrders } from "@/hooks/useLiveOrders";
import { api } from "@/lib/api/browser";
import type { Order, Ticket } from "@/lib/api/types";
import type { TicketListener } from "@/lib/live/ticketFeed";
import { listing } from "./listing";

const feed = vi.hoisted(() => ({ listeners: new Set<TicketListener>() }));
vi.mock("@/lib/live/ticketFeed", () => ({
  subscribeToTickets: (listener: TicketListener) => {
    feed.listeners.add(listener);
    return () => feed.listeners.delete(listener);
  },
}));
vi.mock("@/lib/api/browser", () => ({ api: { listOrders: vi.fn() } }));
const listOrders = vi.mocked(api.listOrders);

const order = { id: "o", status: "created", ticket: { id: "a" } } as Order;
const publish = (ticket: Ticket) =>
  act(async () => {
    for (const { onChange } of feed.listeners) onChange({ id: ticket.id, ticket });
  });
const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));

beforeEach(() => {
  vi.useFakeTimers();
  listOrders.mockResolvedValue({ items: [order], next: null });
  const initial = { items: [order], next: null };
  renderHook(() => useLiveOrders(initial));
});
afterEach(() => {
  cleanup();
  vi.useRealTimers();
  vi.resetAllMocks();
});

it("a change of a single ticket reloads at once, and a change of another ticket does not", async () => {
  await publish(listing("b"));
  expect(listOrders).not.toHaveBeenCalled();
  await publish(listing("a", { status: "held", version: 2 }));
  expect(listOrders).toHaveBeenCalledTimes(1);
});

it("many changes of a listing with several seats are one reload, at most 3 s later", async () => {
  for (let version = 2; version < 200; version++)
    await publish(listing("a", { quantity: 500, available: 500 - version, version }));
  expect(listOrders).not.toHaveBeenCalled();
  await pass(3_000);
  expect(listOrders).toHaveBeenCalledTimes(1);
  await publish(listing("a", { quantity: 500, available: 0, version: 200 }));
  cleanup();
  await pass(3_000);
  expect(listOrders).toHaveBeenCalledTimes(1);
});
