/** What a buyer reads about an order that has ended. */
import { render, screen } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { MoneyStatus } from "@/components/MoneyStatus";
import { OrderOutcome } from "@/components/OrderOutcome";
import { Passes } from "@/components/Passes";
import { OrderBadge } from "@/components/StatusBadge";
import type { CancelReason, Order, Pass } from "@/lib/api/types";

function cancelled(reason: CancelReason): Order {
  return {
    id: "o",
    status: "cancelled",
    reason,
    quantity: 2,
    total: 20,
    ticket: { id: "a", title: "Concert", venue: null, startsAt: null, price: 10, currency: "usd" },
  } as Order;
}

it("a reason that this version of the client does not know is shown as cancelled", () => {
  const order = cancelled("of a later version" as CancelReason);
  render(
    <>
      <OrderBadge order={order} />
      <OrderOutcome order={order} />
    </>,
  );
  expect(screen.getByText("Cancelled")).toBeDefined();
  expect(screen.getByText("This order was cancelled")).toBeDefined();
});

describe("money that goes back", () => {
  it("is named with its amount for a paid order", () => {
    render(<OrderOutcome order={cancelled("refunded")} wasPaid />);
    expect(
      screen.getByText(/seller refunded this order, or your bank took the payment back. The \$20.00/),
    ).toBeDefined();
  });

  it("of an event that was called off is promised only if it was paid", () => {
    const { rerender } = render(<OrderOutcome order={cancelled("event_cancelled")} />);
    expect(screen.getByText(/If you had paid, the money goes back/)).toBeDefined();
    rerender(<OrderOutcome order={cancelled("event_cancelled")} wasPaid />);
    expect(screen.getByText(/The \$20.00 that you paid goes back to your card/)).toBeDefined();
  });
});

describe("a payment that does not stand as it was made", () => {
  const complete = { ...cancelled("buyer"), status: "complete", reason: null } as Order;

  it.each(["buyer", "seller"] as const)("is shown to the %s with the amount that went back", (reader) => {
    const { container, rerender } = render(<MoneyStatus order={complete} reader={reader} />);
    expect(container.textContent).toBe("");
    rerender(<MoneyStatus order={{ ...complete, refundedAmount: 5, disputed: true }} reader={reader} />);
    expect(screen.getByText(/^\$5.00 of/)).toBeDefined();
    expect(screen.getByText("The payment is disputed")).toBeDefined();
  });

  it("is explained by the reason once the order has ended", () => {
    const { container } = render(
      <MoneyStatus order={{ ...cancelled("refunded"), refundedAmount: 20 }} reader="buyer" />,
    );
    expect(container.textContent).toBe("");
  });
});

it("passes that were loaded before their order ended are shown as void, without a code", () => {
  const pass: Pass = { id: "p", seat: 3, status: "valid", code: "a.b.c" };
  const { rerender } = render(<Passes order={{ ...cancelled("refunded"), status: "complete" }} passes={[pass]} />);
  expect(screen.getByRole("img", { name: "QR code of the pass for seat 3" })).toBeDefined();
  rerender(<Passes order={cancelled("refunded")} passes={[pass]} />);
  expect(screen.queryByRole("img")).toBeNull();
  expect(screen.getByText(/^Void/)).toBeDefined();
});
