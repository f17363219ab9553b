/** A payment from the button to the result, with mocks of the API and the card form; the browser tests use the real ones. */
import { act, cleanup, renderHook } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { usePayment } from "@/hooks/usePayment";
import { api } from "@/lib/api/browser";
import { localError, unreachable } from "@/lib/api/errors";
import type { Payment } from "@/lib/api/types";
import { type CardEntry, CardInputError } from "@/lib/payments/cardEntry";

vi.mock("@/lib/api/browser", () => ({ api: { pay: vi.fn(), refreshPayment: vi.fn() } }));
const pay = vi.mocked(api.pay);
const refresh = vi.mocked(api.refreshPayment);

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
let entry: { [Name in keyof CardEntry]: ReturnType<typeof vi.fn<CardEntry[Name]>> };
let methods = 0;

beforeEach(() => {
  entry = { createPaymentMethod: vi.fn(async () => `pm_${++methods}`), authenticate: vi.fn(async () => {}) };
});

afterEach(() => {
  cleanup();
  vi.resetAllMocks();
});

function start() {
  const { result } = renderHook(() => usePayment("o", { current: entry }, () => {}));
  return { result, press: () => act(() => result.current.pay()) };
}

describe("a payment", () => {
  it("is paid once the card is authorised", async () => {
    pay.mockResolvedValue(payment);
    const { result, press } = start();
    await press();
    expect(result.current).toMatchObject({ phase: "paid", problem: null });
  });

  it("can be tried with another card after a decline", async () => {
    pay.mockRejectedValueOnce(localError(402)).mockResolvedValueOnce(payment);
    const { result, press } = start();
    await press();
    expect(result.current.problem?.title).toBe("Your card was declined");
    await press();
    expect(result.current.phase).toBe("paid");
    expect(pay.mock.calls[0]?.[1]).not.toBe(pay.mock.calls[1]?.[1]);
  });

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
    expect(entry.createPaymentMethod).toHaveBeenCalledTimes(1);
  });

  it("authenticates if required, then refreshes the payment", async () => {
    pay.mockResolvedValue({ ...payment, status: "requires_action", clientSecret: "secret" });
    refresh.mockResolvedValue(payment);
    const { result, press } = start();
    await press();
    expect(entry.authenticate).toHaveBeenCalledWith("secret");
    expect(result.current.phase).toBe("paid");
  });

  it("stays unpaid when the authentication fails", async () => {
    pay.mockResolvedValue({ ...payment, status: "requires_action", clientSecret: "secret" });
    entry.authenticate.mockRejectedValue(new CardInputError("Not confirmed."));
    refresh.mockResolvedValue({ ...payment, status: "failed" });
    const { result, press } = start();
    await press();
    expect(result.current).toMatchObject({ phase: "idle", problem: { text: "Not confirmed." } });
    expect(refresh).toHaveBeenCalledWith("p");
  });

  it("is sent once however often the button is pressed", async () => {
    pay.mockResolvedValue(payment);
    const { result } = start();
    await act(() => Promise.all([result.current.pay(), result.current.pay()]));
    expect(pay).toHaveBeenCalledTimes(1);
  });
});
