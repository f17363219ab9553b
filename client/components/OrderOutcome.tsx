/** How an order ended, and what to do next. */
import type { CancelReason, Order } from "@/lib/api/types";
import styles from "@/styles/page.module.css";
import { ButtonLink } from "./Button";
import { Notice } from "./Notice";

const CANCELLED: Record<CancelReason, { title: string; text: string }> = {
  buyer: { title: "You cancelled this order", text: "The ticket is for sale again. You were not charged." },
  expired: {
    title: "Your hold expired",
    text: "You did not pay in time, so the ticket is for sale again. You were not charged.",
  },
  ticket_gone: { title: "The ticket is no longer for sale", text: "The seller withdrew it. You were not charged." },
  payment_failed: {
    title: "The payment failed",
    text: "Your bank declined the payment, so the ticket is for sale again. You were not charged.",
  },
};

export function OrderOutcome({ order }: { order: Order }) {
  if (order.status === "complete") {
    return (
      <div className={styles.stack}>
        <Notice tone="good" title="The ticket is yours">
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
  const { title, text } = CANCELLED[order.reason ?? "buyer"];
  return (
    <div className={styles.stack}>
      <Notice tone="warn" title={title}>
        {text}
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
