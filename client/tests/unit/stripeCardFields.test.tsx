/** Stripe's Payment Element behind the adapter. Stripe itself is mocked: its script is only available from its own servers. */
import { render, screen, waitFor } from "@testing-library/react";
import { createRef } from "react";
import { beforeEach, expect, it, vi } from "vitest";
import StripeCardFields from "@/components/StripeCardFields";
import { type CardEntry, CardInputError } from "@/lib/payments/cardEntry";

const loadStripe = vi.hoisted(() => vi.fn());
vi.mock("@stripe/stripe-js/pure", () => ({ loadStripe }));

const element = { mount: vi.fn(), destroy: vi.fn(), on: vi.fn(), off: vi.fn(), update: vi.fn() };
const elements = {
  create: vi.fn(() => element),
  getElement: vi.fn(() => null),
  update: vi.fn(),
  submit: vi.fn(async () => ({})),
};
const stripe = {
  elements: vi.fn(() => elements),
  createToken: vi.fn(),
  createPaymentMethod: vi.fn(),
  confirmCardPayment: vi.fn(),
  handleNextAction: vi.fn(),
  registerAppInfo: vi.fn(),
  _registerWrapper: vi.fn(),
};

beforeEach(() => void loadStripe.mockResolvedValue(stripe));

async function shown(): Promise<CardEntry> {
  const card = createRef<CardEntry>();
  render(<StripeCardFields publishableKey="pk_test_1" amount={25.1} currency="usd" cardRef={card} />);
  await waitFor(() => expect(elements.create).toHaveBeenCalledWith("payment", expect.anything()));
  if (!card.current) throw new Error("no card entry");
  return card.current;
}

it("asks for the order's amount in cents, to be captured later", async () => {
  await shown();
  expect(loadStripe).toHaveBeenCalledWith("pk_test_1");
  expect(stripe.elements).toHaveBeenCalledWith(
    expect.objectContaining({ mode: "payment", amount: 2510, currency: "usd", captureMethod: "manual" }),
  );
});

it("turns the typed data into a payment method, after Stripe has validated it", async () => {
  const card = await shown();
  stripe.createPaymentMethod.mockResolvedValue({ paymentMethod: { id: "pm_1" } });
  await expect(card.createPaymentMethod()).resolves.toBe("pm_1");
  expect(elements.submit).toHaveBeenCalledBefore(stripe.createPaymentMethod);
});

it("shows Stripe's own message when the card is invalid or its bank declines", async () => {
  const card = await shown();
  elements.submit.mockResolvedValueOnce({ error: { message: "Your card number is incomplete." } });
  await expect(card.createPaymentMethod()).rejects.toThrow(new CardInputError("Your card number is incomplete."));
  expect(stripe.createPaymentMethod).not.toHaveBeenCalled();
  stripe.handleNextAction.mockResolvedValue({ error: { message: "We could not verify you." } });
  await expect(card.authenticate("secret")).rejects.toThrow(new CardInputError("We could not verify you."));
  expect(stripe.handleNextAction).toHaveBeenCalledWith({ clientSecret: "secret" });
});

it("shows a message when Stripe cannot be reached", async () => {
  loadStripe.mockRejectedValue(new Error("blocked"));
  render(<StripeCardFields publishableKey="pk_test_1" amount={25.1} currency="usd" cardRef={createRef()} />);
  expect(await screen.findByText("The card form could not be loaded.")).toBeTruthy();
});
