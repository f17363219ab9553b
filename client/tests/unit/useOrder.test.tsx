/** The order of an open page: live updates replace it, also those of a service of the previous version. */
import { act, renderHook } from "@testing-library/react";
import { expect, it, vi } from "vitest";
import { useOrder } from "@/hooks/useOrder";
import type { Order } from "@/lib/api/types";
import type { openEventStream } from "@/lib/live/eventStream";

type Handlers = Parameters<typeof openEventStream>[1];

const stream = vi.hoisted(() => ({ handlers: null as Handlers | null }));
vi.mock("@/lib/live/eventStream", () => ({
  openEventStream: (_path: string, handlers: Handlers) => {
    stream.handlers = handlers;
    return () => {};
  },
}));

it("a part refund and a dispute arrive live, and an update that does not know them keeps them", () => {
  const paid = { id: "o", version: 2, status: "complete", refundedAmount: 0, disputed: false } as Order;
  const { result } = renderHook(() => useOrder(paid));
  const receive = (changes: Partial<Order>) => {
    const data = JSON.stringify({ ...paid, ...changes });
    act(() => stream.handlers?.onEvent({ type: "order", data, id: "1" } as Parameters<Handlers["onEvent"]>[0]));
    const { refundedAmount, disputed, status } = result.current.order;
    return [refundedAmount, disputed, status];
  };
  expect(receive({ version: 3, refundedAmount: 5 })).toEqual([5, false, "complete"]);
  expect(receive({ version: 4, refundedAmount: 5, disputed: true })).toEqual([5, true, "complete"]);
  expect(receive({ version: 3, refundedAmount: 5 })).toEqual([5, true, "complete"]);
  expect(receive({ version: 5, refundedAmount: null, disputed: null })).toEqual([5, true, "complete"]);
  expect(receive({ version: 6, refundedAmount: null, disputed: null, status: "cancelled" })[2]).toBe("cancelled");
});
