/** The status of a ticket or an order in a few words. */
import type { CancelReason, Order, TicketStatus } from "@/lib/api/types";
import { formatRemaining } from "@/lib/format";
import tones from "@/styles/tones.module.css";
import styles from "./StatusBadge.module.css";

const TICKET: Record<TicketStatus, { text: string; tone: "good" | "warn" | "quiet" }> = {
  available: { text: "Available", tone: "good" },
  held: { text: "On hold", tone: "warn" },
  sold: { text: "Sold", tone: "quiet" },
  deleted: { text: "Withdrawn", tone: "quiet" },
  ended: { text: "Ended", tone: "quiet" },
  cancelled: { text: "Event called off", tone: "quiet" },
};

const CANCELLED: Record<CancelReason, string> = {
  buyer: "Cancelled",
  expired: "Expired",
  ticket_gone: "Withdrawn by the seller",
  payment_failed: "Payment failed",
  event_cancelled: "Event called off",
  refunded: "Refunded",
};

/** `left` replaces "Available", for example with "12 of 200 left". */
export function TicketBadge({ status, left }: { status: TicketStatus; left?: string | null }) {
  // A newer version of the service may send statuses that this page does not know.
  const { text, tone } = TICKET[status] ?? { text: "Not for sale", tone: "quiet" };
  return <span className={`${styles.badge} ${tones[tone]}`}>{(status === "available" && left) || text}</span>;
}

/** The remaining time to pay an open order. */
export function TimeLeftBadge({ remainingMs }: { remainingMs: number }) {
  const text = remainingMs > 0 ? `${formatRemaining(remainingMs)} left` : "Time is up";
  return (
    <span role="timer" aria-live="off" className={`${styles.badge} ${tones.warn} ${styles.time}`}>
      {text}
    </span>
  );
}

export function OrderBadge({ order }: { order: Pick<Order, "status" | "reason"> }) {
  if (order.status === "complete") return <span className={`${styles.badge} ${tones.good}`}>Bought</span>;
  if (order.status === "created") return <span className={`${styles.badge} ${tones.warn}`}>Waiting for payment</span>;
  return (
    <span className={`${styles.badge} ${tones.quiet}`}>{(order.reason && CANCELLED[order.reason]) ?? "Cancelled"}</span>
  );
}

export function EmailBadge({ verified }: { verified: boolean }) {
  const tone = verified ? tones.good : tones.warn;
  return <span className={`${styles.badge} ${tone}`}>{verified ? "Confirmed" : "Not confirmed"}</span>;
}
