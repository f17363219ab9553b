"""The use cases of orders: place, read, cancel, refund, and apply the events of other services."""

import asyncio
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from ticketing_common.entity import ID_PATTERN, utc_now
from ticketing_common.events import (
    ExpirationCompleted,
    OrderStatus,
    PaymentData,
    PaymentStatus,
    TicketData,
    TicketEvent,
    TicketStatus,
)
from ticketing_common.telemetry import get_logger
from ticketing_common.telemetry.metrics import HOLDS_LOST, HOLDS_PLACED, ORDERS_CANCELLED, ORDERS_COMPLETED
from ticketing_common.web import Page, PageRequest

from .account_holds import AccountHolds
from .domain import Order
from .earlier_payments import EarlierPayments, PaymentProgress
from .errors import (
    EventBegunError,
    EventCancelledError,
    ListingForbiddenError,
    OrderNotSoldError,
    PriceChangedError,
    SeatTakenError,
    TicketNotFoundError,
    TicketReservedError,
)
from .free_seats import FreeSeats
from .hold_cache import HoldCache
from .publishers import OrderPublisher, order_cancelled, order_completed, order_created
from .repository import OrderRepository, PaymentProjection, TicketProjection
from .settings import Settings

log = get_logger(__name__)

END_AT_ONCE: Final = 100
"""Orders of a deleted or cancelled listing that end at the same time."""


class OrderService:
    """Decides which order has a seat.

    Every change of an order is one compare-and-swap on its document. The second of two concurrent changes is applied
    to the result of the first: payment against cancellation and payment against expiry have one winner each.
    """

    def __init__(
        self,
        orders: OrderRepository,
        tickets: TicketProjection,
        payments: PaymentProjection,
        held: HoldCache,
        free_seats: FreeSeats,
        settings: Settings,
        payment_progress: PaymentProgress,
    ) -> None:
        self._orders = orders
        self._tickets = tickets
        self._payments = payments
        self._account_holds = AccountHolds(orders, settings)
        self._held = held
        self._free_seats = free_seats
        self._settings = settings
        self._earlier_payments = EarlierPayments(payment_progress)

    async def place(
        self,
        ticket_id: str,
        *,
        user_id: str,
        quantity: int = 1,
        price_cents: int | None = None,
        order_id: str | None = None,
    ) -> Order:
        """Hold seats for a buyer, all or none. No query finds free seats first: the insert decides.

        `price_cents` is the price of one seat that the buyer saw, None when the request has none. `order_id` is the id
        that an earlier attempt of the same request may have used; returns the order of that attempt if there is one.

        Raises `TicketNotFoundError` (also for a malformed id), `TicketOwnedError`, `TicketReservedError` when fewer
        seats are free, `PriceChangedError`, `EventBegunError` once the event has begun by the clock here,
        `EventCancelledError` once the seller has called it off, `TooManyHoldsError` and `TooManyReholdsError`.
        """
        if not re.fullmatch(ID_PATTERN, ticket_id):
            raise TicketNotFoundError
        ticket = await self._tickets.wait_for(ticket_id, seconds=self._settings.overtake_wait_seconds)
        # A deletion or a cancellation may not have arrived yet. That is safe: tickets publishes it again when it
        # receives order.created.
        if ticket is None or ticket.status is TicketStatus.DELETED:
            raise TicketNotFoundError
        window_seconds = self._settings.reservation_window_seconds
        try:
            if ticket.status is TicketStatus.CANCELLED:
                raise EventCancelledError(ticket_id)
            order = Order.place(ticket, user_id=user_id, window_seconds=window_seconds, price_cents=price_cents)
            if order_id is not None:
                order.id = order_id
            order = await self._hold(order, ticket, quantity, repeated=order_id is not None)
        except (EventBegunError, EventCancelledError, PriceChangedError, TicketReservedError) as error:
            # The cause may be later than an earlier attempt, whose own seats are among the taken ones.
            earlier = await self._orders.find(order_id) if order_id else None
            if earlier is not None:
                return earlier
            if isinstance(error, TicketReservedError):
                HOLDS_LOST.inc()
                await self._see_holder(ticket, user_id)
            raise
        HOLDS_PLACED.inc()
        self._see(order, seller_id=ticket.user_id)
        return order

    async def _hold(self, order: Order, ticket: TicketData, quantity: int, *, repeated: bool) -> Order:
        async def store(seats: tuple[int, ...]) -> Order:
            order.seats = seats
            return await self._account_holds.add(order, order_created, repeated=repeated)

        if ticket.highest_seat > 1:
            self._held.has_many_seats(ticket.id)
        if max(ticket.highest_seat, quantity) > 1:
            return await self._free_seats.hold(ticket, quantity, store)
        try:
            return await store((1,))
        except SeatTakenError:  # the only seat: the index itself shows that none is free
            raise TicketReservedError(ticket.id) from None

    def _see(self, order: Order, *, seller_id: str | None = None) -> None:
        self._held.see(order, seller_id=seller_id)
        self._free_seats.see(order)

    async def _see_holder(self, ticket: TicketData, loser_id: str) -> None:
        """Record the holder for later requests: the index shows that the ticket is held, but not by which buyer."""
        if ticket.highest_seat > 1 or self._held.is_held_by_another(ticket.id, user_id=loser_id):
            return
        if holding := await self._orders.find_active(ticket.id):
            self._see(holding, seller_id=ticket.user_id)

    async def get(self, order_id: str, *, user_id: str) -> Order:
        """A user's own order; raises `OrderNotFoundError` and `OrderForbiddenError`."""
        order = await self._orders.get(order_id)
        order.check_owner(user_id)
        return order

    async def payment_of(self, order: Order) -> PaymentData | None:
        """The payment that completed the order, as last published; None for an order that never was complete."""
        return await self._payments.find(order.payment_id) if order.payment_id else None

    async def list_own(self, *, user_id: str, page: PageRequest) -> Page[Order]:
        """A user's own orders, newest first; raises `InvalidInputError` for a cursor that is not from this list."""
        return await self._orders.list_of_user(user_id, page)

    async def list_sales(self, ticket_id: str, *, seller_id: str, page: PageRequest) -> Page[Order]:
        """The paid orders of the seller's own listing, newest first.

        Raises `TicketNotFoundError` (also for a malformed id), `ListingForbiddenError`, and `InvalidInputError` for a
        cursor that is not from this list.
        """
        ticket = await self._tickets.find(ticket_id) if re.fullmatch(ID_PATTERN, ticket_id) else None
        if ticket is None:
            raise TicketNotFoundError
        if ticket.user_id != seller_id:
            raise ListingForbiddenError(ticket_id)
        return await self._orders.list_sales(ticket_id, page)

    async def cancel(self, order_id: str, *, user_id: str) -> Order:
        """Release the seats for the buyer; a cancelled order stays as it is.

        Raises `OrderNotFoundError`, `OrderForbiddenError`, and `OrderTransitionError` when it is paid.
        """

        def cancel(order: Order) -> bool:
            order.check_owner(user_id)
            return order.cancel()

        return await self._change(order_id, cancel, order_cancelled)

    async def refund(self, order_id: str, *, seller_id: str) -> Order:
        """End a paid order for the seller; payments refunds it. A refunded order stays as it is.

        Raises `OrderNotFoundError`, `OrderNotSoldError` unless the user sells the listing, and `OrderTransitionError`
        when the order is unpaid or ended otherwise.
        """
        order = await self._orders.get(order_id)
        ticket = await self._tickets.find(order.ticket.id)
        if ticket is None or ticket.user_id != seller_id:
            raise OrderNotSoldError(order_id)
        return await self._change(order_id, Order.refund, order_cancelled)

    async def follow_ticket(self, data: TicketData) -> None:
        """Apply the event of a ticket to the projection, and end the orders that it ends.

        A deletion ends the unpaid orders, a cancellation the paid ones too.
        """
        ticket = await self._tickets.apply(data)
        if ticket.status is TicketStatus.DELETED:
            await self._end_all(await self._orders.list_unpaid(ticket.id), Order.lose_ticket)
        elif ticket.status is TicketStatus.CANCELLED:
            await self._end_all(await self._orders.list_active(ticket.id), Order.lose_event)

    async def follow_tickets_on_sale(self, events: Sequence[TicketEvent]) -> None:
        """Apply the events of different tickets, neither deleted nor cancelled, to the projection."""
        await self._tickets.apply_all([event.data for event in events])

    async def _end_all(self, order_ids: Sequence[str], fact: Callable[[Order], bool]) -> None:
        """Apply a fact that ends orders to each of them, some at a time: their writes share round trips.

        An order that cannot be changed does not stop the others; its error is raised at the end. The event is then
        redelivered, as after a crash, and finds the orders that are left.
        """
        errors: list[BaseException] = []
        for first in range(0, len(order_ids), END_AT_ONCE):
            ended = await asyncio.gather(
                *(self._change(one, fact, order_cancelled) for one in order_ids[first : first + END_AT_ONCE]),
                return_exceptions=True,
            )
            errors += [outcome for outcome in ended if isinstance(outcome, BaseException)]
        if errors:
            raise errors[0]

    async def follow_payment(self, data: PaymentData) -> None:
        """Complete an order whose payment is authorised, and cancel one whose payment failed or went back after that.

        A part refund and a dispute leave the order complete; it is published again with them for the buyer's page.

        Raises `OrderNotFoundError`, and `OrderTransitionError` for a second payment of a paid order.
        """
        payment = await self._payments.apply(data)
        if payment.status is PaymentStatus.AUTHORIZED:
            await self._change(payment.order_id, lambda order: order.complete(payment.id), order_completed)
        elif payment.status is PaymentStatus.FAILED:
            await self._change(payment.order_id, lambda order: order.fail_payment(payment.id), order_cancelled)
        elif payment.status is PaymentStatus.REFUNDED:
            await self._change(payment.order_id, lambda order: order.lose_payment(payment.id), order_cancelled)
        elif payment.status is PaymentStatus.CAPTURED:
            await self._note_money(payment)

    async def _note_money(self, payment: PaymentData) -> None:
        refunded_cents, disputed = payment.refunded_cents, payment.disputed

        def note(order: Order) -> OrderPublisher | None:
            changed = order.note_money(payment.id, refunded_cents=refunded_cents, disputed=disputed)
            return order_completed if changed else None

        await self._orders.update(payment.order_id, note)

    async def expire(self, order_id: str, *, deadline: datetime) -> None:
        """Expiration reports that a deadline has passed: cancel the order if it is unpaid and due by this clock too.

        There is no projection of deadlines: the order's own `expires_at` decides, in any order of events.

        Raises `OrderNotFoundError` and `OrderNotDueError`.
        """
        await self._earlier_payments.handled()
        await self._expire(order_id, deadline)

    async def expire_all(self, deadlines: Sequence[ExpirationCompleted]) -> None:
        """As `expire`, for the deadlines of different orders. After an error some of the orders may be cancelled."""
        await self._earlier_payments.handled()
        now = utc_now()
        due = {event.data.order_id: event for event in deadlines}
        found = await self._orders.find_all(list(due))
        ended = [order for order in found.values() if order.expire(due[order.id].data.expires_at, now=now)]
        saved = await self._orders.save_all(
            ended, lambda order: order_cancelled(order).in_trace(due[order.id].traceparent)
        )
        for order in saved:
            self._note_change(order)
        changed_meanwhile = {order.id for order in ended} - {order.id for order in saved}
        for order_id in (due.keys() - found.keys()) | changed_meanwhile:
            await self._expire(order_id, due[order_id].data.expires_at)

    async def _expire(self, order_id: str, deadline: datetime) -> None:
        await self._change(order_id, lambda order: order.expire(deadline, now=utc_now()), order_cancelled)

    async def _change(self, order_id: str, fact: Callable[[Order], bool], publish: OrderPublisher) -> Order:
        moved = False

        def watched(order: Order) -> OrderPublisher | None:
            nonlocal moved
            moved = fact(order)
            return publish if moved else None

        order = await self._orders.update(order_id, watched)
        if moved:
            self._note_change(order)
        return order

    def _note_change(self, order: Order) -> None:
        self._see(order)
        if order.status is OrderStatus.COMPLETE:
            ORDERS_COMPLETED.inc()
        elif order.status is OrderStatus.CANCELLED:
            ORDERS_CANCELLED.labels(str(order.reason)).inc()
