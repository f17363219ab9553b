/** The state of a ticket or an order in one word. */
import type { CancelReason, Order, TicketStatus } from "@/lib/api/types";
import { formatRemaining } from "@/lib/format";
import styles from "./StatusBadge.module.css";

const TICKET = {
  available: { text: "Available", tone: "good" },
  held: { text: "On hold", tone: "warn" },
  sold: { text: "Sold", tone: "quiet" },
  ended: { text: "Ended", tone: "quiet" },
} as const;

const CANCELLED: Record<CancelReason, string> = {
  buyer: "Cancelled",
  expired: "Expired",
  ticket_gone: "Withdrawn by the seller",
  payment_failed: "Payment failed",
};

export function TicketBadge({ status }: { status: TicketStatus }) {
  const { text, tone } = TICKET[status];
  return <span className={`${styles.badge} ${styles[tone]}`}>{text}</span>;
}

/** How long an open order may still be paid. */
export function TimeLeftBadge({ remainingMs }: { remainingMs: number }) {
  const text = remainingMs > 0 ? `${formatRemaining(remainingMs)} left` : "Time is up";
  return (
    <span role="timer" aria-live="off" className={`${styles.badge} ${styles.warn} ${styles.time}`}>
      {text}
    </span>
  );
}

export function OrderBadge({ order }: { order: Pick<Order, "status" | "reason"> }) {
  if (order.status === "complete") return <span className={`${styles.badge} ${styles.good}`}>Bought</span>;
  if (order.status === "created") return <span className={`${styles.badge} ${styles.warn}`}>Waiting for payment</span>;
  return (
    <span className={`${styles.badge} ${styles.quiet}`}>{order.reason ? CANCELLED[order.reason] : "Cancelled"}</span>
  );
}
