/** Stripe's own Payment Element; the card number stays between the browser and Stripe. */
import { Elements, PaymentElement, useElements, useStripe } from "@stripe/react-stripe-js";
import { loadStripe } from "@stripe/stripe-js/pure";
import { type Ref, useImperativeHandle, useMemo, useState } from "react";
import { type CardEntry, CardInputError } from "@/lib/payments/cardEntry";
import { Notice } from "./Notice";

interface Props {
  publishableKey: string;
  /** In units of the currency. */
  amount: number;
  currency: string;
  cardRef: Ref<CardEntry>;
}

const NOT_READY = "The card form is still loading. Please try again in a moment.";
const FALLBACK = "This card was not accepted. Please check it and try again.";

export default function StripeCardFields({ publishableKey, amount, currency, cardRef }: Props) {
  const [unreachable, setUnreachable] = useState(false);
  const stripe = useMemo(
    () =>
      loadStripe(publishableKey).catch(() => {
        setUnreachable(true);
        return null;
      }),
    [publishableKey],
  );
  if (unreachable) {
    return (
      <Notice tone="bad" title="The card form could not be loaded.">
        Stripe is not reachable from this browser. Check your connection or content blocker and reload the page.
      </Notice>
    );
  }
  return (
    <Elements
      stripe={stripe}
      options={{
        mode: "payment",
        // Stripe counts in the smallest unit; an amount has at most two decimals, so this removes only floating-point error.
        amount: Math.round(amount * 100),
        currency: currency.toLowerCase(),
        captureMethod: "manual",
        paymentMethodCreation: "manual",
        allowedPaymentMethodTypes: ["card"],
      }}
    >
      <ElementFields cardRef={cardRef} />
    </Elements>
  );
}

function ElementFields({ cardRef }: { cardRef: Ref<CardEntry> }) {
  const stripe = useStripe();
  const elements = useElements();

  useImperativeHandle(
    cardRef,
    () => ({
      async createPaymentMethod() {
        if (!stripe || !elements) throw new CardInputError(NOT_READY);
        const submitted = await elements.submit();
        if (submitted.error) throw new CardInputError(submitted.error.message ?? FALLBACK);
        const { paymentMethod, error } = await stripe.createPaymentMethod({ elements });
        if (error) throw new CardInputError(error.message ?? FALLBACK);
        return paymentMethod.id;
      },
      async authenticate(clientSecret) {
        if (!stripe) throw new CardInputError(NOT_READY);
        const { error } = await stripe.handleNextAction({ clientSecret });
        if (error) throw new CardInputError(error.message ?? FALLBACK);
      },
    }),
    [stripe, elements],
  );

  return <PaymentElement />;
}
