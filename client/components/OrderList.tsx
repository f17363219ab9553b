/** Orders in a list, newest first, under their heading. */

import { useId } from "react";
import type { Order } from "@/lib/api/types";
import { formatPrice } from "@/lib/format";
import { countTickets } from "@/lib/seats";
import page from "@/styles/page.module.css";
import { LocalTime } from "./LocalTime";
import styles from "./OrderList.module.css";
import { PageLink } from "./PageLink";
import { OrderBadge, TimeLeftBadge } from "./StatusBadge";

interface Props {
  title: string;
  orders: Order[];
  /** The server's time (ms); if given, open orders show their remaining time instead of their status. */
  now?: number;
}

export function OrderList({ title, orders, now }: Props) {
  const id = useId();
  if (orders.length === 0) return null;
  return (
    <section className={page.group} aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      <ul className={page.group}>
        {orders.map((order) => (
          <li key={order.id} className={styles.item}>
            <h3 className={`${styles.title} ${page.wholeCard}`}>
              <PageLink href={`/orders/${order.id}`}>{order.ticket.title}</PageLink>
            </h3>
            <span className={styles.price}>{formatPrice(order.total, order.ticket.currency)}</span>
            <p className={page.count}>
              {order.quantity > 1 && `${countTickets(order.quantity)} · `}
              <LocalTime iso={order.createdAt} />
            </p>
            <span className={styles.state}>
              {now !== undefined && order.status === "created" ? (
                <TimeLeftBadge remainingMs={Date.parse(order.expiresAt) - now} />
              ) : (
                <OrderBadge order={order} />
              )}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
