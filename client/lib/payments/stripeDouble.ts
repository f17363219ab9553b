/** The adapter to the script of a local Stripe double, which supports tokens but neither payment methods nor the Payment Element. */
import { type CardEntry, CardInputError } from "./cardEntry";

export interface CardData {
  number: string;
  exp_month: string;
  exp_year: string;
  cvc: string;
}

interface DoubleResult {
  error?: { message?: string } | null;
}

/** The used part of the double's `Stripe(key)` object. */
interface StripeDouble {
  /** Reads nothing of the element but `value.card`. */
  createToken(element: { value: { card: CardData } }): Promise<DoubleResult & { token?: { card: { id: string } } }>;
  /** Shows the 3-D Secure question in its own dialog. */
  confirmCardPayment(clientSecret: string): Promise<DoubleResult & { paymentIntent?: { status: string } }>;
}

type StripeDoubleFactory = (publishableKey: string) => StripeDouble;

/** The cards that the double treats specially; it charges every other number with 16 digits. */
export const TEST_CARDS = [
  { label: "Successful payment", number: "4242424242424242" },
  { label: "Declined card", number: "4000000000000341" },
  { label: "Card with 3-D Secure", number: "4000002500003155" },
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
      reject(new CardInputError("The payment service is not available. Please try again in a moment."));
    };
    document.head.append(script);
  });
  return loading;
}

/** Calls `readCard` only at the time of payment, so that the entry never stores a card number. */
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
      styleDialog(document.body.lastElementChild);
      const { paymentIntent, error } = await answer;
      if (!paymentIntent || paymentIntent.status === "requires_payment_method") {
        throw new CardInputError(error?.message || "Your bank did not confirm the payment. You were not charged.");
      }
    },
  };
}

/** Makes the double's question accessible: it appends a white box with the page's text colour and without a role. */
function styleDialog(box: Element | null): void {
  if (!(box instanceof HTMLDivElement) || box.id) return;
  box.setAttribute("role", "alertdialog");
  box.setAttribute("aria-modal", "true");
  box.setAttribute("aria-label", "3-D Secure test question");
  Object.assign(box.style, { position: "fixed", color: "#1f1b16", colorScheme: "light", zIndex: "10" });
}
