/** When "My orders" reloads: at once for a single ticket, and once for many changes of a listing with several seats. */
import { act, cleanup, renderHook } from "@testing-library/react";
import { beforeEach, expect, it, vi } from "vitest";
import { useLiveOrders } from "@/hooks/useLiveOrders";
import { api } from "@/lib/api/browser";
import type { Order } from "@/lib/api/types";
import { publish } from "./feed";
import { listing } from "./listing";

vi.mock("@/lib/live/ticketFeed", () => import("./feed"));
vi.mock("@/lib/api/browser", () => ({ api: { listOrders: vi.fn() } }));
const listOrders = vi.mocked(api.listOrders);

const order = { id: "o", status: "created", ticket: { id: "a" } } as Order;
const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));

beforeEach(() => {
  vi.useFakeTimers();
  listOrders.mockResolvedValue({ items: [order], next: null });
  const initial = { items: [order], next: null };
  renderHook(() => useLiveOrders(initial));
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
