"""A ticket: which changes its seller may make and when, and how its status follows from its orders."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from typing import Final

from ticketing_common.entity import Entity, utc_now
from ticketing_common.events import OrderData, OrderStatus, TicketStatus
from ticketing_common.money import MAX_CHARGE_CENTS, SMALLEST_CHARGE_CENTS
from ticketing_tickets.errors import (
    FieldFixedError,
    PriceTooLowError,
    StartInPastError,
    TicketCancelledError,
    TicketNotOwnedError,
    TicketReservedError,
    TicketTransitionError,
    TotalTooHighError,
)

TRANSITIONS: Final[Mapping[TicketStatus, frozenset[TicketStatus]]] = {
    # To itself: the number of free seats changes.
    TicketStatus.AVAILABLE: frozenset(TicketStatus),
    # To itself: some of its seats were sold, or the next order came before the end of the previous one. To deleted: the
    # last hold of a withdrawn listing ended.
    TicketStatus.HELD: frozenset(TicketStatus),
    # Back from sold: the capture failed permanently, and orders has cancelled the complete order.
    TicketStatus.SOLD: frozenset(TicketStatus),
    # Final: orders ends every order of it.
    TicketStatus.CANCELLED: frozenset(),
    # An order that completed before orders received the deletion stands; nothing else revives a deleted ticket.
    TicketStatus.DELETED: frozenset({TicketStatus.SOLD}),
}


@dataclass(frozen=True, kw_only=True)
class TicketDetails:
    """The details that the seller sets, replaced as a whole. Money in integer cents for one seat, times in UTC.

    `quantity` None means one seat for a new listing, and no change for an existing one.
    """

    title: str
    price_cents: int
    description: str | None = None
    venue: str | None = None
    starts_at: datetime | None = None
    quantity: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """The taken seats of one listing, according to the projection of its orders.

    `held` are unpaid. `from_before` are those of orders that were placed when the listing had more seats; read only
    when more seats are taken than the listing has. `holder` is the order that has the seat of a listing with one.
    `unpaid` are the versions of the unpaid orders by their ids; read only when the listing is deleted.
    """

    held: int = 0
    sold: int = 0
    from_before: int = 0
    holder: str | None = None
    unpaid: Mapping[str, int] = field(default_factory=dict)


@dataclass(kw_only=True)
class Ticket(Entity):
    """A listing.

    `user_id` is the seller. Of its `quantity` seats `held` are held and `sold` are sold; `highest_seat` is the largest
    quantity so far, as seats are numbered up to it. `order_id` is the order that holds or bought the seat of a listing
    of one seat, exactly while `status` is held or sold.
    A cancelled listing counts no seats: orders ends every order of it. Nothing changes it any more.
    A withdrawn listing, of a deleted account, offers no free seat, and only its orders change it.
    A deleted ticket stays as a tombstone: `deleted_at` is the time of the deletion. `answered_orders` maps the ids of
    the late orders for which the deletion was published again to the order version it was published for.
    """

    user_id: str
    title: str
    price_cents: int
    currency: str
    description: str | None = None
    venue: str | None = None
    starts_at: datetime | None = None
    status: TicketStatus = TicketStatus.AVAILABLE
    quantity: int = 1
    highest_seat: int = 1
    held: int = 0
    sold: int = 0
    order_id: str | None = None
    withdrawn: bool = False
    deleted_at: datetime | None = None
    answered_orders: dict[str, int] = field(default_factory=dict)

    @property
    def details(self) -> TicketDetails:
        """The details that the seller set."""
        return TicketDetails(**{one.name: getattr(self, one.name) for one in fields(TicketDetails)})

    @property
    def taken(self) -> int:
        """The seats that are held or sold."""
        return self.held + self.sold

    @property
    def free_seats(self) -> int:
        """The seats that can be held now."""
        return max(0, self.quantity - self.taken) if self.status is TicketStatus.AVAILABLE else 0

    def edit(self, seller_id: str, details: TicketDetails, *, now: datetime) -> bool:
        """Replace the details; False when they are the same already.

        Checks only fields that change: a `starts_at` that has passed meanwhile may stay. Raises what
        `TicketService.edit` says.
        """
        self._require_seller(seller_id)
        self._require_not_cancelled()
        if self.quantity == 1:
            self._require_available()
        quantity = details.quantity or self.quantity
        details = replace(details, quantity=quantity)
        if details == self.details:
            return False
        if self.taken:
            self._require_unfixed(details, quantity)
        if (details.price_cents, quantity) != (self.price_cents, self.quantity):
            check_price(details.price_cents, self.currency, quantity)
        if details.starts_at not in (None, self.starts_at) and details.starts_at <= now:
            raise StartInPastError
        for name, value in asdict(details).items():
            setattr(self, name, value)
        self.highest_seat = max(self.highest_seat, self.quantity)
        self._count(self.held, self.sold, self.order_id)
        return True

    def cancel(self, seller_id: str) -> bool:
        """Call the event off; this is final, and allowed while seats are held or sold and after the event has begun.

        False when it is called off already. Raises `TicketNotOwnedError`.
        """
        self._require_seller(seller_id)
        return self._become(TicketStatus.CANCELLED)

    def delete(self, seller_id: str) -> None:
        """Delete the listing; this is final.

        A cancelled listing stays: its buyers see what happened, and its orders may still have to end. Raises
        `TicketNotOwnedError`, `TicketCancelledError` and `TicketReservedError`.
        """
        self._require_seller(seller_id)
        self._require_not_cancelled()
        self._require_available()
        self.deleted_at = utc_now()
        self._become(TicketStatus.DELETED)

    def withdraw(self) -> None:
        """Offer no free seat any more, since the seller's account was deleted; this is final.

        Only held and sold seats stay, and fewer when one becomes free; without any the listing is deleted.
        """
        self.withdrawn = True
        if self.status is not TicketStatus.CANCELLED:
            self._keep_taken_seats(self.held, self.sold, self.order_id)

    def forget_texts(self) -> bool:
        """Remove the seller's texts from a deleted listing; the tombstone stays. False when nothing changed.

        A listing that was sold before the deletion keeps its texts: its `status` is not deleted.
        """
        if self.status is not TicketStatus.DELETED or not self.title:
            return False
        self.title, self.description, self.venue = "", None, None
        return True

    def follow(self, taken: Taken) -> bool:
        """Set the status and counts from the taken seats; orders alone decides which order has a seat.

        Uses only the current state and never the event that just arrived, so that the cancellation of one order cannot
        free the seat of another. False when there is nothing to change and nothing to publish.
        """
        if self.status is TicketStatus.CANCELLED:
            return False
        if self.deleted_at is not None:
            return self._follow_deleted(taken)
        if self.withdrawn:
            return self._keep_taken_seats(taken.held, taken.sold, taken.holder)
        # The quantity was lowered before the events of orders for more seats arrived; those orders stand.
        self.quantity = max(self.quantity, taken.from_before)
        # More seats than the listing has are taken only until the event of an order's end arrives.
        sold = min(taken.sold, self.quantity)
        return self._count(min(taken.held, self.quantity - sold), sold, taken.holder)

    def _follow_deleted(self, taken: Taken) -> bool:
        """Publish the deletion again for unpaid orders that came too late, once per version, so redelivery ends.

        While there are any, the listing stays deleted, since that makes orders cancel them. Sold seats then stay sold,
        and the listing has no more seats than those.
        """
        late = {
            order_id for order_id, version in taken.unpaid.items() if self.answered_orders.get(order_id, 0) < version
        }
        for order_id in late:
            self.answered_orders[order_id] = taken.unpaid[order_id]
        if taken.unpaid or not taken.sold:
            return self._become(TicketStatus.DELETED) or bool(late)
        self.quantity = taken.sold
        return self._become(TicketStatus.SOLD, sold=taken.sold, order_id=taken.holder)

    def _keep_taken_seats(self, held: int, sold: int, order_id: str | None) -> bool:
        """Lower the quantity to the taken seats, or delete the listing if there are none."""
        if held + sold == 0:
            self.deleted_at = utc_now()
            return self._become(TicketStatus.DELETED)
        self.quantity = held + sold
        return self._count(held, sold, order_id)

    def _count(self, held: int, sold: int, order_id: str | None) -> bool:
        """Set how many seats are held and sold; the status follows from that."""
        if held + sold < self.quantity:
            return self._become(TicketStatus.AVAILABLE, held=held, sold=sold)
        status = TicketStatus.HELD if held else TicketStatus.SOLD
        return self._become(status, held=held, sold=sold, order_id=order_id)

    def _become(self, status: TicketStatus, *, held: int = 0, sold: int = 0, order_id: str | None = None) -> bool:
        """The only place that changes `status`; allows what the transition table allows."""
        after = (status, held, sold, order_id)
        if (self.status, self.held, self.sold, self.order_id) == after:
            return False
        if status not in TRANSITIONS[self.status]:
            raise TicketTransitionError(self.id, self.status, status)
        self.status, self.held, self.sold, self.order_id = after
        return True

    def _require_unfixed(self, details: TicketDetails, quantity: int) -> None:
        """Refuse changes to what buyers bought: another event, time or place would be another ticket."""
        for name, shown in (("title", "title"), ("venue", "venue"), ("starts_at", "startsAt")):
            if getattr(details, name) != getattr(self, name):
                raise FieldFixedError(self.id, shown)
        if quantity < self.taken:
            raise FieldFixedError(self.id, "quantity", least=self.taken)

    def _require_seller(self, user_id: str) -> None:
        if user_id != self.user_id or self.withdrawn:  # a token of a deleted account is valid for a moment
            raise TicketNotOwnedError(self.id)

    def _require_not_cancelled(self) -> None:
        if self.status is TicketStatus.CANCELLED:
            raise TicketCancelledError(self.id)

    def _require_available(self) -> None:
        if self.status is not TicketStatus.AVAILABLE or self.taken:
            raise TicketReservedError(
                self.id, "taken in part" if self.status is TicketStatus.AVAILABLE else self.status
            )


def check_price(price_cents: int, currency: str, quantity: int = 1) -> None:
    """Raise `PriceTooLowError` or `TotalTooHighError` for a price that cannot be charged in this currency."""
    smallest = SMALLEST_CHARGE_CENTS[currency]
    if price_cents < smallest:
        raise PriceTooLowError(smallest, currency)
    if quantity * price_cents > MAX_CHARGE_CENTS:
        raise TotalTooHighError("price" if price_cents > MAX_CHARGE_CENTS else "quantity")


def taken_by(orders: Iterable[OrderData]) -> Taken:
    """The taken seat of a listing with one, given all known active orders: the complete one has it, else the newest.

    Orders lets only one be active at a time; more are known here only until the event of the earlier one's end arrives.
    """
    active = [order for order in orders if order.status is not OrderStatus.CANCELLED]
    if not active:
        return Taken()
    holder = max(active, key=lambda o: (o.status is OrderStatus.COMPLETE, o.created_at, o.id))
    if holder.status is OrderStatus.COMPLETE:
        return Taken(sold=1, holder=holder.id)
    return Taken(held=1, holder=holder.id, unpaid={holder.id: holder.version})
