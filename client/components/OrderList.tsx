/** Orders in a list, newest first. */
import Link from "next/link";
import type { Order } from "@/lib/api/types";
import { formatPrice } from "@/lib/format";
import { LocalTime } from "./LocalTime";
import styles from "./OrderList.module.css";
import { OrderBadge } from "./StatusBadge";

export function OrderList({ orders }: { orders: Order[] }) {
  return (
    <ul className={styles.list}>
      {orders.map((order) => (
        <li key={order.id} className={styles.item}>
          <h2 className={styles.title}>
            <Link href={`/orders/${order.id}`}>{order.ticket.title}</Link>
          </h2>
          <span className={styles.price}>{formatPrice(order.ticket.price, order.ticket.currency)}</span>
          <p className={styles.when}>
            <LocalTime iso={order.createdAt} />
          </p>
          <span className={styles.state}>
            <OrderBadge order={order} />
          </span>
        </li>
      ))}
    </ul>
  );
}
