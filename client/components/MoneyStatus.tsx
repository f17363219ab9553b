/** What became of the payment of a complete order, apart from a full refund, which ends the order. */
import type { Order } from "@/lib/api/types";
import { formatPrice } from "@/lib/format";
import { Notice } from "./Notice";

interface Props {
  order: Order;
  /** Whose words: the buyer's bank is the other side for the seller. */
  reader: "buyer" | "seller";
}

const WORDS = {
  buyer: {
    refunded: (amount: string) =>
      `${amount} of what you paid goes back to your card; banks need 5 to 10 days for that. Your passes still admit.`,
    disputed:
      "Your bank has asked for this payment back. Until it decides, your passes admit. If it takes the money back, they no longer do.",
  },
  seller: {
    refunded: (amount: string) => `${amount} of the payment went back to the buyer. The passes still admit.`,
    disputed:
      "The buyer's bank has asked for this payment back. Until it decides, the passes admit. If it takes the money back, the order ends and the seats are for sale again.",
  },
};

/** Nothing for an order whose payment stands as it was made. */
export function MoneyStatus({ order, reader }: Props) {
  const { refundedAmount, disputed } = order;
  if (order.status !== "complete" || !(refundedAmount || disputed)) return null;
  const words = WORDS[reader];
  return (
    <>
      {refundedAmount ? (
        <Notice tone="warn" title="Part of the payment went back">
          {words.refunded(formatPrice(refundedAmount, order.ticket.currency))}
        </Notice>
      ) : null}
      {disputed ? (
        <Notice tone="warn" title="The payment is disputed">
          {words.disputed}
        </Notice>
      ) : null}
    </>
  );
}
