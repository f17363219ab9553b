"""An order: the seats of a listing that a buyer holds, until when, at what price, and every way in which it may end."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Self

from ticketing_common.entity import Entity, utc_now
from ticketing_common.events import OrderReason, OrderStatus, TicketData

from .errors import (
    EventBegunError,
    OrderForbiddenError,
    OrderNotDueError,
    OrderTransitionError,
    PriceChangedError,
    TicketOwnedError,
)

ACTIVE_STATUSES: Final = (OrderStatus.CREATED, OrderStatus.COMPLETE)
"""An order in one of these has its seats; each seat of a listing has at most one such order."""

TRANSITIONS: Final[Mapping[tuple[OrderStatus, OrderStatus], frozenset[OrderReason | None]]] = {
    (OrderStatus.CREATED, OrderStatus.COMPLETE): frozenset({None}),
    (OrderStatus.CREATED, OrderStatus.CANCELLED): frozenset(
        {OrderReason.BUYER, OrderReason.EXPIRED, OrderReason.TICKET_GONE, OrderReason.EVENT_CANCELLED}
    ),
    (OrderStatus.COMPLETE, OrderStatus.CANCELLED): frozenset(
        {OrderReason.PAYMENT_FAILED, OrderReason.EVENT_CANCELLED, OrderReason.REFUNDED}
    ),
}
"""Every allowed transition, and the reasons for which it is allowed."""


@dataclass(frozen=True, kw_only=True)
class TicketSnapshot:
    """The listing as the buyer saw it. Later edits do not change it: the buyer pays the price that was shown.

    `price_cents` is for one seat, `starts_at` is UTC, `quantity` is how many seats the listing had. Orders of earlier
    versions may lack venue and time, and were placed when a listing had one seat.
    """

    id: str
    title: str
    price_cents: int
    currency: str
    venue: str | None = None
    starts_at: datetime | None = None
    quantity: int = 1
    user_id: str | None = None
    """The seller; None in orders of earlier versions."""


@dataclass(kw_only=True)
class Order(Entity):
    """A hold on seats of one listing, all of them or none.

    Each method below records a fact. It returns whether the order changed: False when the transition was made earlier
    or the fact came too late to matter. It raises `OrderTransitionError` when the transition is forbidden.
    `seats` are their numbers, from 1, each once. They never change; orders of earlier versions have seat 1.
    `expires_at` is UTC. `payment_id` is the payment that completed the order, and stays when its capture fails.
    `refunded_cents` and `disputed` are what became of that payment while the order was complete. `status_since` is
    when `status` changed (UTC), if only those two changed after it; None means at `updated_at`.
    `user_id` is the buyer; empty once the time that the record names a person is over (`forget_person`).
    `slot` and `turn` number the account's open holds, and its holds of this ticket (see `account_holds.py`); None where
    these limits are off, and in orders of earlier versions.
    """

    user_id: str
    ticket: TicketSnapshot
    expires_at: datetime
    status: OrderStatus = OrderStatus.CREATED
    reason: OrderReason | None = None
    payment_id: str | None = None
    slot: int | None = None
    turn: int | None = None
    seats: tuple[int, ...] = (1,)
    refunded_cents: int = 0
    disputed: bool = False
    status_since: datetime | None = None

    @classmethod
    def place(cls, ticket: TicketData, *, user_id: str, window_seconds: int, price_cents: int | None = None) -> Self:
        """A new order at the listing's current price; its seats are chosen later.

        `price_cents` is the price of a seat that the buyer saw, None when the request has none. Raises
        `TicketOwnedError` when the buyer is the seller, `EventBegunError` when `starts_at` has passed here, and
        `PriceChangedError` when the current price differs.
        """
        now = utc_now()
        if ticket.user_id == user_id:
            raise TicketOwnedError(ticket.id)
        if ticket.starts_at is not None and ticket.starts_at <= now:
            raise EventBegunError(ticket.id)
        if price_cents not in (None, ticket.price_cents):
            raise PriceChangedError(ticket.id, ticket.price_cents, ticket.currency)
        return cls(
            user_id=user_id,
            ticket=TicketSnapshot(
                id=ticket.id,
                title=ticket.title,
                price_cents=ticket.price_cents,
                currency=ticket.currency,
                venue=ticket.venue,
                starts_at=ticket.starts_at,
                quantity=ticket.quantity,
                user_id=ticket.user_id,
            ),
            expires_at=now + timedelta(seconds=window_seconds),
            created_at=now,
            updated_at=now,
        )

    @property
    def quantity(self) -> int:
        """How many seats the order has."""
        return len(self.seats)

    @property
    def total_cents(self) -> int:
        """The price of all seats, in cents."""
        return self.quantity * self.ticket.price_cents

    @property
    def unpaid(self) -> bool:
        """Whether the hold is unpaid: still open, or ended by the buyer or by its deadline."""
        return self.status is OrderStatus.CREATED or self.reason in (OrderReason.BUYER, OrderReason.EXPIRED)

    @property
    def sold(self) -> bool:
        """Whether the order is complete, or was until it ended: its seats have passes, valid or void."""
        return self.status is OrderStatus.COMPLETE or self.payment_id is not None

    def check_owner(self, user_id: str) -> None:
        """Raise `OrderForbiddenError` unless this user placed the order."""
        if self.user_id != user_id:
            raise OrderForbiddenError(self.id)

    def cancel(self) -> bool:
        """The buyer cancels; raises `OrderTransitionError` when the order is paid."""
        return self._move(OrderStatus.CANCELLED, OrderReason.BUYER)

    def complete(self, payment_id: str) -> bool:
        """This payment is authorised: the order is paid, and payments may capture it.

        Too late when the order is cancelled: payments receives the cancellation and voids the authorisation.

        Raises `OrderTransitionError` when another payment completed the order. Payments has one active payment per
        order, by a unique index, so that should not happen. If it does, payments does not capture the second payment,
        since `order.completed` names the only payment that may be captured, and the dead letter alerts an operator.
        """
        if self.status is OrderStatus.CANCELLED:
            return False
        if self.status is OrderStatus.COMPLETE and self.payment_id != payment_id:
            raise OrderTransitionError(self.id, self.status, OrderStatus.COMPLETE, None)
        self.payment_id = payment_id
        return self._move(OrderStatus.COMPLETE)

    def fail_payment(self, payment_id: str) -> bool:
        """This payment failed. That cancels the order only if this payment had completed it.

        A declined attempt on an unpaid order changes nothing: the buyer may try another card until the deadline.
        """
        if self.status is OrderStatus.CREATED or self.payment_id != payment_id:
            return False
        return self._move(OrderStatus.CANCELLED, OrderReason.PAYMENT_FAILED)

    def expire(self, deadline: datetime, *, now: datetime) -> bool:
        """The order's deadline has passed by the clock of expiration; the clock here decides. Times in UTC.

        Returns False when the order is paid or cancelled, and when its own deadline is later than `deadline`.
        Raises `OrderNotDueError` when it is not due by `now`: no hold ends early because a clock is ahead.
        """
        if self.status is not OrderStatus.CREATED or deadline < self.expires_at:
            return False
        if now < self.expires_at:
            raise OrderNotDueError(self.id)
        return self._move(OrderStatus.CANCELLED, OrderReason.EXPIRED)

    def lose_ticket(self) -> bool:
        """The ticket was deleted. A paid order keeps it: the deletion came too late."""
        if self.status is not OrderStatus.CREATED:
            return False
        return self._move(OrderStatus.CANCELLED, OrderReason.TICKET_GONE)

    def lose_event(self) -> bool:
        """The seller called the event off; unlike a deletion that ends a paid order too, and payments refunds it."""
        return self._move(OrderStatus.CANCELLED, OrderReason.EVENT_CANCELLED)

    def refund(self) -> bool:
        """The seller returns the money: payments refunds it when it receives the cancellation.

        False when the order was refunded before. Raises `OrderTransitionError` when it is unpaid, or ended otherwise.
        """
        if self.status is OrderStatus.CANCELLED and self.reason is not OrderReason.REFUNDED:
            raise OrderTransitionError(self.id, self.status, OrderStatus.CANCELLED, OrderReason.REFUNDED)
        return self._move(OrderStatus.CANCELLED, OrderReason.REFUNDED)

    def lose_payment(self, payment_id: str) -> bool:
        """All of this payment's money went back at Stripe. That ends the order only if this payment completed it."""
        if self.status is not OrderStatus.COMPLETE or self.payment_id != payment_id:
            return False
        return self._move(OrderStatus.CANCELLED, OrderReason.REFUNDED)

    def note_money(self, payment_id: str, *, refunded_cents: int, disputed: bool) -> bool:
        """A part of this payment's money went back, or a dispute about it was opened or closed: the buyer is told.

        False unless this payment completed the order and the order is complete: its end tells all else.
        """
        if self.status is not OrderStatus.COMPLETE or self.payment_id != payment_id:
            return False
        if (self.refunded_cents, self.disputed) == (refunded_cents, disputed):
            return False
        self.status_since = self.status_since or self.updated_at
        self.refunded_cents, self.disputed = refunded_cents, disputed
        return True

    def forget_person(self) -> None:
        """Remove the buyer, and the seller's id and texts. The rest proves which seats are sold, for how much.

        `slot` and `turn` go too: their indexes are unique for a buyer, and orders without one would violate them.
        """
        self.status_since = self.status_since or self.updated_at
        self.user_id, self.slot, self.turn = "", None, None
        self.ticket = replace(self.ticket, title="", venue=None, user_id=None)

    def _move(self, target: OrderStatus, reason: OrderReason | None = None) -> bool:
        """The only place that changes `status`; allows what the transition table allows."""
        if self.status is target:
            return False
        if reason not in TRANSITIONS.get((self.status, target), frozenset()):
            raise OrderTransitionError(self.id, self.status, target, reason)
        self.status, self.reason, self.status_since = target, reason, None
        return True
