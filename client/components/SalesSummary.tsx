/** Figures about the reader's own listings: how many in each status, and the total sales. */
import { useHydrated } from "@/hooks/useHydrated";
import type { Ticket, TicketStatus } from "@/lib/api/types";
import { serverClock } from "@/lib/clock";
import { formatPrice } from "@/lib/format";
import { statusAt } from "@/lib/ticketStatus";
import page from "@/styles/page.module.css";
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
  const quantity = tickets.reduce((sum, ticket) => sum + ticket.quantity, 0);
  const taken = quantity - tickets.reduce((sum, ticket) => sum + ticket.available, 0);
  const count = (status: TicketStatus) => `${inState(status).length}${plus}`;
  const figures = [
    ["Available", count("available")],
    ["On hold", count("held")],
    ["Sold", count("sold")],
    ["Sales", totalSales(tickets, more)],
  ];
  if (quantity > tickets.length) figures.push(["Tickets sold or on hold", `${taken} of ${quantity}${plus}`]);
  return (
    <dl className={styles.summary}>
      {figures.map(([name, figure]) => (
        <div key={name}>
          <dt className={page.count}>{name}</dt>
          <dd>{figure}</dd>
        </div>
      ))}
    </dl>
  );
}

/**
 * One sum per currency, added up in cents, because sums of decimals have rounding errors. A listing with several seats is
 * not part of it: it does not show which seats are sold, or at which price. "+" marks the sum as a lower bound then.
 */
function totalSales(tickets: Ticket[], more: boolean): string {
  const cents = new Map<string, number>();
  for (const { price, currency } of tickets.filter(({ status, quantity }) => status === "sold" && quantity === 1)) {
    cents.set(currency, (cents.get(currency) ?? 0) + Math.round(price * 100));
  }
  const incomplete = more || tickets.some(({ quantity, available }) => quantity > 1 && available < quantity);
  if (cents.size === 0) return "–";
  return [...cents].map(([currency, sum]) => formatPrice(sum / 100, currency)).join(" + ") + (incomplete ? "+" : "");
}
