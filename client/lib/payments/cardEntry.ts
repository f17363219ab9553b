/** The interface between the payment form and a card form: Stripe's elements, or the fields for the local double. */

export interface CardEntry {
  /** Turns the typed card data into a payment method id. Throws CardInputError if the data is invalid. */
  createPaymentMethod(): Promise<string>;
  /** Authenticates the card's owner (3-D Secure). Throws CardInputError if that fails or is cancelled. */
  authenticate(clientSecret: string): Promise<void>;
}

/** An error that the buyer can correct; the message is shown to the buyer. */
export class CardInputError extends Error {
  override readonly name = "CardInputError";
}
