/** What was bought, when and for how much; the printed page shows only the receipt. */
import type { Order, User } from "@/lib/api/types";
import { formatPrice } from "@/lib/format";
import page from "@/styles/page.module.css";
import { Button } from "./Button";
import { LocalTime } from "./LocalTime";
import { OrderedTickets } from "./OrderedTickets";
import styles from "./Receipt.module.css";

export function Receipt({ order, buyer }: { order: Order; buyer: User | null }) {
  return (
    <section className={`${page.card} ${styles.receipt}`} aria-labelledby="receipt">
      <header className={page.head}>
        <h2 id="receipt">Receipt</h2>
        <p className={styles.seller}>Ticketing</p>
      </header>
      <dl className={page.facts}>
        <dt>Event</dt>
        <dd>{order.ticket.title}</dd>
        <OrderedTickets order={order} />
        <dt>Order number</dt>
        <dd className={page.number}>{order.id}</dd>
        <dt>Ordered</dt>
        <dd>
          <LocalTime iso={order.createdAt} />
        </dd>
        {buyer && (
          <>
            <dt>Buyer</dt>
            <dd>{buyer.email}</dd>
          </>
        )}
      </dl>
      <p className={styles.total}>
        <span>Paid by card</span>
        <strong>{formatPrice(order.total, order.ticket.currency)}</strong>
      </p>
      <Button variant="secondary" onClick={() => window.print()}>
        Print receipt
      </Button>
    </section>
  );
}
