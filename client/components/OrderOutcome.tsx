/** How an order ended, and what to do next. */
import type { CancelReason, Order } from "@/lib/api/types";
import { formatPrice } from "@/lib/format";
import styles from "@/styles/page.module.css";
import { ButtonLink } from "./Button";
import { MoneyStatus } from "./MoneyStatus";
import { Notice } from "./Notice";

interface Words {
  /** The subject of the sentence, for example "The ticket is". */
  tickets: string;
  /** What was paid and goes back, for example "$20.00"; null if the order is not known to have been paid. */
  paid: string | null;
}

const CANCELLED: Record<CancelReason, { title: string; text: (words: Words) => string }> = {
  buyer: {
    title: "You cancelled this order",
    text: ({ tickets }) => `${tickets} for sale again. You were not charged.`,
  },
  expired: {
    title: "Your hold expired",
    text: ({ tickets }) => `You did not pay in time. ${tickets} for sale again. You were not charged.`,
  },
  ticket_gone: {
    title: "No longer for sale",
    text: () => "The seller has withdrawn this listing. You were not charged.",
  },
  payment_failed: {
    title: "The payment failed",
    text: ({ tickets }) => `Your bank declined the payment. ${tickets} for sale again. You were not charged.`,
  },
  event_cancelled: {
    title: "The event was called off",
    text: ({ paid }) =>
      `The seller has called the event off. ${paid ? moneyBack(paid) : "If you had paid, the money goes back to your card."}`,
  },
  refunded: {
    title: "Your money goes back to you",
    text: ({ paid }) =>
      `The seller refunded this order, or your bank took the payment back. ${paid ? moneyBack(paid) : ""}`.trim(),
  },
};

function moneyBack(paid: string): string {
  return `The ${paid} that you paid goes back to your card; banks need 5 to 10 days for that. Your passes no longer admit.`;
}

/** A newer version of the service may send reasons that this page does not know. */
const OTHER_REASON: (typeof CANCELLED)[CancelReason] = {
  title: "This order was cancelled",
  text: () => "You no longer hold tickets with this order.",
};

/** `wasPaid`: the order is known to have been complete before it was cancelled. */
export function OrderOutcome({ order, wasPaid = false }: { order: Order; wasPaid?: boolean }) {
  const { quantity, total } = order;
  if (order.status === "complete") {
    return (
      <div className={styles.stack}>
        <Notice tone="good" title={quantity === 1 ? "The ticket is yours" : `${quantity} tickets are yours`}>
          Payment complete. You can find this order under “My orders”.
        </Notice>
        <MoneyStatus order={order} reader="buyer" />
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
  const paid = wasPaid || order.reason === "refunded" ? formatPrice(total, order.ticket.currency) : null;
  return (
    <div className={styles.stack}>
      <Notice tone="warn" title={title}>
        {text({ tickets: quantity === 1 ? "The ticket is" : "The tickets are", paid })}
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
