/** How an order ended, and what to do next. */
import type { CancelReason, Order } from "@/lib/api/types";
import { orderTotals } from "@/lib/seats";
import styles from "@/styles/page.module.css";
import { ButtonLink } from "./Button";
import { Notice } from "./Notice";

/** `tickets` is the subject of the sentence, for example "The ticket is". */
const CANCELLED: Record<CancelReason, { title: string; text: (tickets: string) => string }> = {
  buyer: { title: "You cancelled this order", text: (tickets) => `${tickets} for sale again. You were not charged.` },
  expired: {
    title: "Your hold expired",
    text: (tickets) => `You did not pay in time. ${tickets} for sale again. You were not charged.`,
  },
  ticket_gone: {
    title: "No longer for sale",
    text: () => "The seller has withdrawn this listing. You were not charged.",
  },
  payment_failed: {
    title: "The payment failed",
    text: (tickets) => `Your bank declined the payment. ${tickets} for sale again. You were not charged.`,
  },
  event_cancelled: {
    title: "The event is cancelled",
    text: () => "The seller has called the event off. If you have paid, the money goes back to your card.",
  },
  refunded: { title: "Your money goes back", text: () => "This order was refunded to the card that you paid with." },
};

/** A newer version of the service may send reasons that this page does not know. */
const OTHER_REASON: (typeof CANCELLED)[CancelReason] = {
  title: "This order was cancelled",
  text: () => "You no longer hold tickets with this order.",
};

export function OrderOutcome({ order }: { order: Order }) {
  const { quantity } = orderTotals(order);
  if (order.status === "complete") {
    return (
      <div className={styles.stack}>
        <Notice tone="good" title={quantity === 1 ? "The ticket is yours" : `${quantity} tickets are yours`}>
          Payment complete. You can find this order under “My orders”.
        </Notice>
        <div className={styles.row}>
          <ButtonLink href="/orders">My orders</ButtonLink>
          <ButtonLink href="/" variant="secondary">
            Browse tickets
          </ButtonLink>
        </div>
      </div>
    );
  }
  const { title, text } = CANCELLED[order.reason ?? "buyer"] ?? OTHER_REASON;
  return (
    <div className={styles.stack}>
      <Notice tone="warn" title={title}>
        {text(quantity === 1 ? "The ticket is" : "The tickets are")}
      </Notice>
      <div className={styles.row}>
        {order.reason !== "ticket_gone" && (
          <ButtonLink href={`/tickets/${order.ticket.id}`}>View the ticket</ButtonLink>
        )}
        <ButtonLink href="/" variant="secondary">
          Browse tickets
        </ButtonLink>
      </div>
    </div>
  );
}
