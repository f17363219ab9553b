/** A cancelled order with a reason that this version of the client does not know. */
import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import { OrderOutcome } from "@/components/OrderOutcome";
import { OrderBadge } from "@/components/StatusBadge";
import type { CancelReason, Order } from "@/lib/api/types";

afterEach(cleanup);

it("is shown as cancelled", () => {
  const order = {
    id: "o",
    status: "cancelled",
    reason: "of a later version" as CancelReason,
    ticket: { id: "a", title: "Concert", price: 10, currency: "usd" },
  } as Order;
  render(
    <>
      <OrderBadge order={order} />
      <OrderOutcome order={order} />
    </>,
  );
  expect(screen.getByText("Cancelled")).toBeDefined();
  expect(screen.getByText("This order was cancelled")).toBeDefined();
});
