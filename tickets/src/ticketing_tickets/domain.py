"""What a ticket is, who may change it and when, how it follows the orders placed for it, and how it is found."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from ticketing_common.entity import Entity, utc_now
from ticketing_common.events import OrderData, OrderStatus, TicketStatus
from ticketing_common.money import SMALLEST_CHARGE_CENTS

from .errors import (
    PriceTooLowError,
    StartInPastError,
    TicketNotOwnedError,
    TicketReservedError,
    TicketTransitionError,
)

__all__ = [
    "LISTED",
    "TRANSITIONS",
    "ShownStatus",
    "Ticket",
    "TicketDetails",
    "TicketSearch",
    "TicketSort",
    "check_price",
    "holder_among",
    "shown_status",
    "words_of",
]

LISTED: Final = (TicketStatus.AVAILABLE, TicketStatus.HELD, TicketStatus.SOLD)
"""What is ever shown; a deleted ticket is only told of."""


class ShownStatus(StrEnum):
    """What readers see of a listing: the stored status, or `ended`, which nothing stores since time alone brings it."""

    AVAILABLE = "available"
    HELD = "held"
    SOLD = "sold"
    ENDED = "ended"


def shown_status(status: TicketStatus, starts_at: datetime | None, now: datetime) -> ShownStatus:
    """`ended` once the event has begun and the seat is still free. Times in UTC.

    A hold that was placed in time may still be paid, so it is shown as `held` until it ends. Raises ValueError for a
    deleted ticket, which is never shown.
    """
    if status is TicketStatus.AVAILABLE and starts_at is not None and starts_at <= now:
        return ShownStatus.ENDED
    return ShownStatus(status.value)


TRANSITIONS: Final[Mapping[TicketStatus, frozenset[TicketStatus]]] = {
    TicketStatus.AVAILABLE: frozenset({TicketStatus.HELD, TicketStatus.SOLD, TicketStatus.DELETED}),
    # To itself: on to the next order, when the end of the last one is heard of later than the new one's beginning.
    TicketStatus.HELD: frozenset({TicketStatus.AVAILABLE, TicketStatus.HELD, TicketStatus.SOLD}),
    # Back from sold: the capture was refused for good, and orders has cancelled what was complete.
    TicketStatus.SOLD: frozenset(TicketStatus),
    # A sale that orders had decided before the deletion was heard of stands; nothing else brings a ticket back.
    TicketStatus.DELETED: frozenset({TicketStatus.SOLD}),
}


@dataclass(frozen=True, kw_only=True)
class TicketDetails:
    """What the seller decides, and may replace as a whole. Money in integer cents, times in UTC."""

    title: str
    price_cents: int
    description: str | None = None
    venue: str | None = None
    starts_at: datetime | None = None


@dataclass(kw_only=True)
class Ticket(Entity):
    """A listing.

    `user_id` is the seller; `order_id` is the order that holds or bought it, exactly while `status` is held or sold.
    A deleted ticket stays as a tombstone: `deleted_at` says since when, `answered_orders` which orders (id to the
    version seen) were told that they came too late.
    """

    user_id: str
    title: str
    price_cents: int
    currency: str
    description: str | None = None
    venue: str | None = None
    starts_at: datetime | None = None
    status: TicketStatus = TicketStatus.AVAILABLE
    order_id: str | None = None
    deleted_at: datetime | None = None
    answered_orders: dict[str, int] = field(default_factory=dict)

    @property
    def details(self) -> TicketDetails:
        """What the seller decided."""
        return TicketDetails(
            title=self.title,
            price_cents=self.price_cents,
            description=self.description,
            venue=self.venue,
            starts_at=self.starts_at,
        )

    def edit(self, seller_id: str, details: TicketDetails, *, now: datetime) -> bool:
        """Replace the details; False when they are the same already.

        Only what changes is judged: a `starts_at` that has passed meanwhile may stay. Raises `TicketNotOwnedError`,
        `TicketReservedError`, `PriceTooLowError` and `StartInPastError`.
        """
        self._require_seller(seller_id)
        self._require_available()
        if details == self.details:
            return False
        if details.price_cents != self.price_cents:
            check_price(details.price_cents, self.currency)
        if details.starts_at not in (None, self.starts_at) and details.starts_at <= now:
            raise StartInPastError
        self.title = details.title
        self.price_cents = details.price_cents
        self.description = details.description
        self.venue = details.venue
        self.starts_at = details.starts_at
        return True

    def delete(self, seller_id: str) -> None:
        """Take it off sale for good. Raises `TicketNotOwnedError` and `TicketReservedError`."""
        self._require_seller(seller_id)
        self._require_available()
        self.deleted_at = utc_now()
        self._become(TicketStatus.DELETED, None)

    def forget_texts(self) -> bool:
        """Remove what the seller wrote from a deleted listing; the tombstone stays. False without a change.

        A sale that was decided before the deletion keeps them: `status` is not deleted then.
        """
        if self.status is not TicketStatus.DELETED or not self.title:
            return False
        self.title, self.description, self.venue = "", None, None
        return True

    def follow(self, holder: OrderData | None) -> bool:
        """Agree with orders, the only judge of who has a ticket: `holder` is the active order of this ticket, if any.

        Decides from the present alone and never from what has just happened, so that the cancellation of one order
        cannot free what another one holds. False when there is nothing to change or to tell.
        """
        if holder is not None and holder.status is OrderStatus.COMPLETE:
            return self._become(TicketStatus.SOLD, holder.id)
        if self.deleted_at is not None:
            fell_back = self._become(TicketStatus.DELETED, None)
            return self._answer(holder) or fell_back
        if holder is not None:
            return self._become(TicketStatus.HELD, holder.id)
        return self._become(TicketStatus.AVAILABLE, None)

    def _answer(self, late: OrderData | None) -> bool:
        """Note that this order is to be told of the deletion; once per version of it, so redelivery ends."""
        if late is None or self.answered_orders.get(late.id, 0) >= late.version:
            return False
        self.answered_orders[late.id] = late.version
        return True

    def _become(self, status: TicketStatus, order_id: str | None) -> bool:
        """Every change of status goes through here and the table."""
        if (self.status, self.order_id) == (status, order_id):
            return False
        if status not in TRANSITIONS[self.status]:
            raise TicketTransitionError(self.id, self.status, status)
        self.status, self.order_id = status, order_id
        return True

    def _require_seller(self, user_id: str) -> None:
        if user_id != self.user_id:
            raise TicketNotOwnedError(self.id)

    def _require_available(self) -> None:
        if self.status is not TicketStatus.AVAILABLE:
            raise TicketReservedError(self.id, self.status)


def check_price(price_cents: int, currency: str) -> None:
    """Raise `PriceTooLowError` for a price that cannot be charged in this currency."""
    smallest = SMALLEST_CHARGE_CENTS[currency]
    if price_cents < smallest:
        raise PriceTooLowError(smallest, currency)


def holder_among(orders: Iterable[OrderData]) -> OrderData | None:
    """The order that has the ticket, of all known ones for it: the complete one, else the newest active one.

    Orders lets only one be active at a time; more are known here only while the end of the earlier is on its way.
    """
    active = [order for order in orders if order.status is not OrderStatus.CANCELLED]
    return max(active, key=lambda o: (o.status is OrderStatus.COMPLETE, o.created_at, o.id), default=None)


class TicketSort(StrEnum):
    """How a list is ordered; a minus means falling. Tickets without a date come last in both orders by date."""

    NEWEST = "newest"
    OLDEST = "oldest"
    PRICE = "price"
    PRICE_FALLING = "-price"
    STARTS_AT = "startsAt"
    STARTS_AT_FALLING = "-startsAt"


@dataclass(frozen=True, kw_only=True)
class TicketSearch:
    """Which tickets, in which order.

    Bounds are inclusive. `words` are folded, and each must begin a word found: with no words (an empty tuple) nothing
    is found, and with None everything.
    """

    words: tuple[str, ...] | None = None
    min_price_cents: int | None = None
    max_price_cents: int | None = None
    starts_from: datetime | None = None
    starts_to: datetime | None = None
    statuses: tuple[TicketStatus, ...] = (TicketStatus.AVAILABLE,)
    sort: TicketSort = TicketSort.NEWEST

    @property
    def unbegun(self) -> bool:
        """Whether listings are left out once their event has begun: they are for holding, and that is over."""
        return self.statuses == (TicketStatus.AVAILABLE,)


_WORD: Final = re.compile(r"[^\W_]+")
_STROKES: Final = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"})
"""Letters that people type without their stroke, and that Unicode does not take apart by itself."""


def words_of(text: str) -> list[str]:
    """The words of a text as they are searched for: each once, without case and accents (`Émile` is `emile`)."""
    letters = (letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    return list(dict.fromkeys(_WORD.findall("".join(letters).casefold().translate(_STROKES))))
