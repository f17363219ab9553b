/** Talks to the script of a local Stripe double, which knows tokens but neither payment methods nor the Payment Element. */
import type { CardEntry } from "./cardEntry";
import { CardInputError } from "./cardEntry";

export interface CardData {
  number: string;
  exp_month: string;
  exp_year: string;
  cvc: string;
}

interface DoubleResult {
  error?: { message?: string } | null;
}

/** The part of the double's `Stripe(key)` object that is used here. */
interface StripeDouble {
  /** Reads nothing of the element but `value.card`. */
  createToken(element: { value: { card: CardData } }): Promise<DoubleResult & { token?: { card: { id: string } } }>;
  /** Shows the 3-D Secure question as a dialog of its own. */
  confirmCardPayment(clientSecret: string): Promise<DoubleResult & { paymentIntent?: { status: string } }>;
}

type StripeDoubleFactory = (publishableKey: string) => StripeDouble;

/** The cards the double treats specially; everything else with 16 digits is charged. */
export const TEST_CARDS = [
  { label: "A card that works", number: "4242424242424242" },
  { label: "A card that is declined", number: "4000000000000341" },
  { label: "A card that asks for 3-D Secure", number: "4000002500003155" },
] as const;

let loading: Promise<StripeDoubleFactory> | undefined;

function loadDouble(scriptUrl: string): Promise<StripeDoubleFactory> {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = scriptUrl;
    script.onload = () => resolve((window as unknown as { Stripe: StripeDoubleFactory }).Stripe);
    script.onerror = () => {
      script.remove();
      // The next press of the button tries again.
      loading = undefined;
      reject(new CardInputError("The payment service is not answering. Please try again in a moment."));
    };
    document.head.append(script);
  });
  return loading;
}

/** `readCard` is asked at the moment of payment, so the entry never holds a card number itself. */
export function doubleCardEntry(scriptUrl: string, publishableKey: string, readCard: () => CardData): CardEntry {
  const double = async () => (await loadDouble(scriptUrl))(publishableKey);
  return {
    async createPaymentMethod() {
      const card = readCard();
      const { token, error } = await (await double()).createToken({ value: { card } });
      if (!token)
        throw new CardInputError(error?.message || "This card was not accepted. Check the number and try again.");
      return token.card.id;
    },
    async authenticate(clientSecret) {
      const answer = (await double()).confirmCardPayment(clientSecret);
      dressDialog(document.body.lastElementChild);
      const { paymentIntent, error } = await answer;
      if (!paymentIntent || paymentIntent.status === "requires_payment_method") {
        throw new CardInputError(error?.message || "Your bank did not confirm the payment. You were not charged.");
      }
    },
  };
}

/** The double has just appended its question to the page: white, but with the page's own text colour, and unknown to screen readers. */
function dressDialog(box: Element | null): void {
  if (!(box instanceof HTMLDivElement) || box.id) return;
  box.setAttribute("role", "alertdialog");
  box.setAttribute("aria-modal", "true");
  box.setAttribute("aria-label", "3-D Secure test question");
  Object.assign(box.style, { position: "fixed", color: "#1f1b16", colorScheme: "light", zIndex: "10" });
}
