/** A payment without a definite result, and a button that is pressed twice; the browser tests have declines and 3-D Secure. */
import { act, renderHook } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { usePayment } from "@/hooks/usePayment";
import { api } from "@/lib/api/browser";
import { localError, unreachable } from "@/lib/api/errors";
import type { Payment } from "@/lib/api/types";
import type { CardEntry } from "@/lib/payments/cardEntry";

vi.mock("@/lib/api/browser", () => ({ api: { pay: vi.fn() } }));
const pay = vi.mocked(api.pay);

const payment: Payment = {
  id: "p",
  orderId: "o",
  status: "authorized",
  amount: 5,
  currency: "usd",
  refundedAmount: 0,
  disputed: false,
  clientSecret: null,
};
const createPaymentMethod = vi.fn<CardEntry["createPaymentMethod"]>();
const entry: CardEntry = { createPaymentMethod, authenticate: async () => {} };
let methods = 0;

beforeEach(() => void createPaymentMethod.mockImplementation(async () => `pm_${++methods}`));

function start() {
  const { result } = renderHook(() => usePayment("o", { current: entry }, () => {}));
  return { result, press: () => act(() => result.current.pay()) };
}

describe("a payment", () => {
  it.each([
    ["a lost response", unreachable()],
    ["a timeout at Stripe", localError(503)],
  ])("repeats the very same call after %s", async (_case, failure) => {
    pay.mockRejectedValueOnce(failure).mockResolvedValueOnce(payment);
    const { result, press } = start();
    await press();
    expect(result.current.problem?.title).toBe("Payment not confirmed yet");
    await press();
    expect(pay.mock.calls[1]).toEqual(pay.mock.calls[0]);
    expect(createPaymentMethod).toHaveBeenCalledTimes(1);
  });

  it("is sent once however often the button is pressed", async () => {
    pay.mockResolvedValue(payment);
    const { result } = start();
    await act(() => Promise.all([result.current.pay(), result.current.pay()]));
    expect(pay).toHaveBeenCalledTimes(1);
  });
});
