/** One payment, from the button to a definite result. */
import { type RefObject, useRef, useState } from "react";
import { api } from "@/lib/api/browser";
import { ApiError } from "@/lib/api/errors";
import type { Payment } from "@/lib/api/types";
import { Attempt } from "@/lib/attempt";
import { type CardEntry, CardInputError } from "@/lib/payments/cardEntry";

export interface PaymentProblem {
  tone: "warn" | "bad";
  title: string;
  text: string;
}

interface PaymentState {
  /** `paid`: the card is authorised and the orders service decides; the order's status shows the result. */
  phase: "idle" | "working" | "paid";
  problem: PaymentProblem | null;
  pay: () => Promise<void>;
}

export function usePayment(orderId: string, card: RefObject<CardEntry | null>, onResponse: () => void): PaymentState {
  const attempt = useRef(new Attempt());
  /** The payment method of a call without a response: the next press repeats that call instead of starting a second payment. */
  const unanswered = useRef<string>(undefined);
  const working = useRef(false);
  const [phase, setPhase] = useState<PaymentState["phase"]>("idle");
  const [problem, setProblem] = useState<PaymentProblem | null>(null);

  async function payOnce(entry: CardEntry): Promise<Payment> {
    const paymentMethodId = unanswered.current ?? (await entry.createPaymentMethod());
    unanswered.current = paymentMethodId;
    try {
      const input = { orderId, paymentMethodId };
      const payment = await attempt.current.run(input, (key) => api.pay(input, key));
      unanswered.current = undefined;
      if (payment.status !== "requires_action" || !payment.clientSecret) return payment;
      try {
        await entry.authenticate(payment.clientSecret);
      } catch (error) {
        // The payments service must see the refusal too, or it would reject another card because this payment is still open.
        await api.refreshPayment(payment.id).catch(() => {});
        throw error;
      }
      return await api.refreshPayment(payment.id);
    } catch (error) {
      if (!(error instanceof ApiError && error.outcomeUnknown)) unanswered.current = undefined;
      throw error;
    }
  }

  async function pay() {
    if (working.current || !card.current) return;
    working.current = true;
    setPhase("working");
    setProblem(null);
    try {
      const payment = await payOnce(card.current);
      const failed = payment.status === "failed" || payment.status === "voided" || payment.status === "requires_action";
      setPhase(failed ? "idle" : "paid");
      if (failed) setProblem(declined("The payment was not completed."));
    } catch (error) {
      setPhase("idle");
      setProblem(explain(error));
    } finally {
      working.current = false;
      onResponse();
    }
  }

  return { phase, problem, pay };
}

function declined(text: string): PaymentProblem {
  return { tone: "bad", title: "Your card was declined", text: `${text} You were not charged. Try another card.` };
}

function explain(error: unknown): PaymentProblem {
  if (error instanceof CardInputError) return { tone: "bad", title: "Payment not completed", text: error.message };
  if (!(error instanceof ApiError)) throw error;
  if (error.status === 402) return declined("Your bank refused the payment.");
  if (error.outcomeUnknown) {
    const wait = error.retryAfter ? `in ${error.retryAfter} seconds` : "in a moment";
    const text = `We have no confirmation of your payment yet. Press “Pay” again ${wait}; you will not be charged twice.`;
    return { tone: "warn", title: "Payment not confirmed yet", text };
  }
  if (error.status === 401) {
    return {
      tone: "bad",
      title: "Your session has ended",
      text: "Sign in again to continue here. Your hold is kept.",
    };
  }
  return { tone: "bad", title: "Payment not completed", text: error.message };
}
