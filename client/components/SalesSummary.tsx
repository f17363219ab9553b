/** Figures about the reader's own listings: how many in each status, and the total sales. */
import { useHydrated } from "@/hooks/useHydrated";
import type { Ticket, TicketStatus } from "@/lib/api/types";
import { serverClock } from "@/lib/clock";
import { formatPrice } from "@/lib/format";
import { statusAt } from "@/lib/ticketStatus";
import styles from "./SalesSummary.module.css";

interface Props {
  tickets: Ticket[];
  /** More listings exist than are loaded, so every figure is a lower bound. */
  more: boolean;
}

export function SalesSummary({ tickets, more }: Props) {
  // The server's time is known only after hydration.
  const now = useHydrated() ? serverClock.now() : 0;
  const inState = (status: TicketStatus) => tickets.filter((ticket) => statusAt(ticket, now) === status);
  const plus = more ? "+" : "";
  const count = (status: TicketStatus) => `${inState(status).length}${plus}`;
  return (
    <dl className={styles.summary}>
      <div>
        <dt>Available</dt>
        <dd>{count("available")}</dd>
      </div>
      <div>
        <dt>On hold</dt>
        <dd>{count("held")}</dd>
      </div>
      <div>
        <dt>Sold</dt>
        <dd>{count("sold")}</dd>
      </div>
      <div>
        <dt>Sales</dt>
        <dd>{total(inState("sold")) + plus}</dd>
      </div>
    </dl>
  );
}

/** One sum per currency, added up in cents, because sums of decimals have rounding errors. */
function total(sold: Ticket[]): string {
  const cents = new Map<string, number>();
  for (const { price, currency } of sold) {
    cents.set(currency, (cents.get(currency) ?? 0) + Math.round(price * 100));
  }
  if (cents.size === 0) return "–";
  return [...cents].map(([currency, sum]) => formatPrice(sum / 100, currency)).join(" + ");
}
