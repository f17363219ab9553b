/** The paid orders of a listing, each with its refund. */
import type { Order } from "@/lib/api/types";
import { formatPrice } from "@/lib/format";
import { countTickets, formatSeats } from "@/lib/seats";
import page from "@/styles/page.module.css";
import { ConfirmDialog } from "./ConfirmDialog";
import { LocalTime } from "./LocalTime";
import { MoneyStatus } from "./MoneyStatus";
import styles from "./SaleList.module.css";

interface Props {
  orders: Order[];
  onRefund: (order: Order) => Promise<void>;
}

export function SaleList({ orders, onRefund }: Props) {
  return (
    <ul className={page.group}>
      {orders.map((order) => (
        <Sale key={order.id} order={order} onRefund={() => onRefund(order)} />
      ))}
    </ul>
  );
}

function Sale({ order, onRefund }: { order: Order; onRefund: () => Promise<void> }) {
  const { quantity, seats, total } = order;
  const numbers = `${seats.length > 1 ? "Seats" : "Seat"} ${formatSeats(seats)}`;
  const price = formatPrice(total, order.ticket.currency);
  return (
    <li className={`${page.card} ${styles.sale}`}>
      <div>
        <h3>{numbers}</h3>
        <p>
          {countTickets(quantity)}, {price}
        </p>
        <p className={page.count}>
          <LocalTime iso={order.createdAt} /> · order <span className={page.number}>{order.id}</span>
        </p>
        <MoneyStatus order={order} reader="seller" />
      </div>
      <ConfirmDialog
        label={`Refund ${numbers.toLowerCase()}`}
        title={`Refund ${price}?`}
        confirmLabel="Yes, refund it"
        keepLabel="Keep the sale"
        onConfirm={onRefund}
      >
        <p>
          {`The buyer gets back ${price}. ${seats.length > 1 ? `${numbers} are` : `${numbers} is`} for sale again, and ${
            seats.length > 1 ? "their passes are" : "the pass is"
          } void. This cannot be undone.`}
        </p>
      </ConfirmDialog>
    </li>
  );
}
