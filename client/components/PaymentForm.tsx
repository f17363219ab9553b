/** The card form and the button that pays an order, for Stripe and for the local double. */
import dynamic from "next/dynamic";
import { type FormEvent, useRef } from "react";
import { usePayment } from "@/hooks/usePayment";
import type { Order } from "@/lib/api/types";
import { formatPrice } from "@/lib/format";
import type { CardEntry } from "@/lib/payments/cardEntry";
import type { RuntimeConfig } from "@/lib/server/runtimeConfig";
import styles from "@/styles/page.module.css";
import { Button } from "./Button";
import { DoubleCardFields } from "./DoubleCardFields";
import { Notice } from "./Notice";

/** Stripe's code is loaded only where it is used; it cannot run on the server. */
const StripeCardFields = dynamic(() => import("./StripeCardFields"), {
  ssr: false,
  loading: () => <p>Loading card form…</p>,
});

interface Props {
  order: Order;
  stripe: RuntimeConfig["stripe"];
  /** The hold has expired by the server's clock: no new payment starts. */
  timeIsUp: boolean;
  onResponse: () => void;
}

export function PaymentForm({ order, stripe, timeIsUp, onResponse }: Props) {
  const card = useRef<CardEntry>(null);
  const { quantity, total } = order;
  const { currency } = order.ticket;
  const { phase, problem, pay } = usePayment(order.id, card, onResponse);

  function submit(event: FormEvent) {
    event.preventDefault();
    void pay();
  }

  if (!stripe) {
    return (
      <Notice tone="warn" title="Payments are not set up.">
        STRIPE_PUBLISHABLE_KEY is not configured.
      </Notice>
    );
  }
  if (phase === "paid") {
    return (
      <Notice tone="info" title="Payment received.">
        {quantity === 1 ? "Confirming your ticket…" : "Confirming your tickets…"}
      </Notice>
    );
  }
  return (
    <form className={styles.stack} onSubmit={submit} noValidate>
      {stripe.scriptUrl ? (
        <DoubleCardFields ref={card} scriptUrl={stripe.scriptUrl} publishableKey={stripe.publishableKey} />
      ) : (
        <StripeCardFields cardRef={card} publishableKey={stripe.publishableKey} amount={total} currency={currency} />
      )}
      {problem && (
        <Notice tone={problem.tone} title={problem.title}>
          {problem.text}
        </Notice>
      )}
      <Button type="submit" wide busy={phase === "working"} disabled={timeIsUp}>
        {phase === "working" ? "Paying…" : `Pay ${formatPrice(total, currency)}`}
      </Button>
    </form>
  );
}
