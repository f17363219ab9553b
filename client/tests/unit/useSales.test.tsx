/** When the sales of a listing are loaded again without a change of the listing: part refunds and disputes change none. */
import { act, renderHook } from "@testing-library/react";
import { beforeEach, expect, it, type MockInstance, vi } from "vitest";
import { useSales } from "@/hooks/useSales";
import { api } from "@/lib/api/browser";
import type { Order } from "@/lib/api/types";
import { listing } from "./listing";

vi.mock("@/lib/api/browser", () => ({ api: { listSales: vi.fn(), countCheckins: vi.fn() } }));
const listSales = vi.mocked(api.listSales);

const sold = { id: "o", status: "complete", refundedAmount: 0 } as Order;
const COUNTS = { sold: 1, checkedIn: 0 };
let visibility: MockInstance<() => DocumentVisibilityState>;
const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));

beforeEach(() => {
  vi.useFakeTimers();
  visibility = vi.spyOn(document, "visibilityState", "get").mockReturnValue("visible");
  listSales.mockResolvedValue({ items: [{ ...sold, refundedAmount: 5 }], next: null });
  vi.mocked(api.countCheckins).mockResolvedValue({ ...COUNTS, void: [] });
});

it("shows a part refund within half a minute while the page is visible, and at once when it becomes visible", async () => {
  const [ticket, initial] = [listing("t"), { items: [sold], next: null }];
  const { result } = renderHook(() => useSales(ticket, initial, COUNTS));
  await pass(29_000);
  expect(listSales).not.toHaveBeenCalled();
  await pass(2_000);
  expect(result.current.list.items.map(({ refundedAmount }) => refundedAmount)).toEqual([5]);

  visibility.mockReturnValue("hidden");
  await pass(600_000);
  expect(listSales).toHaveBeenCalledTimes(1);
  visibility.mockReturnValue("visible");
  await act(async () => void document.dispatchEvent(new Event("visibilitychange")));
  expect(listSales).toHaveBeenCalledTimes(2);
});
