/** The facts of an order's tickets, as rows of a description list: venue, time, seats, and the price of each. */
import type { Order } from "@/lib/api/types";
import { formatPrice } from "@/lib/format";
import { countTickets, formatSeats } from "@/lib/seats";
import { LocalTime } from "./LocalTime";

export function OrderedTickets({ order: { ticket, quantity, seats } }: { order: Order }) {
  return (
    <>
      <dt>When</dt>
      <dd>{ticket.startsAt ? <LocalTime iso={ticket.startsAt} withOffset /> : "Not specified"}</dd>
      <dt>Where</dt>
      <dd>{ticket.venue ?? "Not specified"}</dd>
      <dt>Tickets</dt>
      <dd>{`${countTickets(quantity)} × ${formatPrice(ticket.price, ticket.currency)}`}</dd>
      <dt>{quantity === 1 ? "Seat number" : "Seat numbers"}</dt>
      <dd>{formatSeats(seats)}</dd>
    </>
  );
}
