/** What the payment form needs of a card form, whoever draws it: Stripe's elements or the fields for the local double. */

export interface CardEntry {
  /** Turns what was typed into a payment method id. Raises CardInputError when it is not a card. */
  createPaymentMethod(): Promise<string>;
  /** Lets the card's owner prove who they are (3-D Secure). Raises CardInputError when that fails or is given up. */
  authenticate(clientSecret: string): Promise<void>;
}

/** Something the person at the form can mend; the message is for them. */
export class CardInputError extends Error {
  override readonly name = "CardInputError";
}
