"""The fields of each document that the checks use.

They are read by name and not through the services' models, so that an error in a model cannot hide in the audit too. A
field that a service renames must be renamed here; the flow test with the real stack fails otherwise.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple, TypeVar

from ticketing_common.storage import Document

R = TypeVar("R")


class OrderRow(NamedTuple):
    """An order in its own database. Money in cents, times in UTC, here and below."""

    id: str
    version: int
    status: str
    user_id: str
    ticket_id: str
    price_cents: int
    currency: str
    expires_at: datetime
    payment_id: str | None
    updated_at: datetime
    seats: tuple[int, ...] = (1,)

    @property
    def total_cents(self) -> int:
        """The price of all its seats."""
        return len(self.seats) * self.price_cents


class CheckinRow(NamedTuple):
    """A check-in in the orders database. It never changes."""

    id: str
    pass_id: str
    order_id: str
    ticket_id: str
    seat: int
    checked_in_at: datetime


class TicketRow(NamedTuple):
    """A ticket in its own database; deleted ones too."""

    id: str
    version: int
    status: str
    user_id: str
    price_cents: int
    updated_at: datetime
    order_id: str | None = None
    quantity: int = 1
    highest_seat: int = 1
    held: int = 0
    sold: int = 0


class PaymentRow(NamedTuple):
    """An attempt to pay, in its own database."""

    id: str
    version: int
    order_id: str
    status: str
    amount_cents: int
    currency: str
    created_at: datetime
    updated_at: datetime
    stripe_id: str | None = None
    refunded_cents: int = 0
    disputed: bool = False
    check_at: datetime | None = None


class DeadlineRow(NamedTuple):
    """A deadline in the expiration database; its id is the order's."""

    id: str
    version: int
    status: str
    expires_at: datetime
    updated_at: datetime


class Copy(NamedTuple):
    """One service's copy of another's aggregate, in a projection."""

    id: str
    version: int
    status: str
    cents: int
    seats: int = 1


ORDER_FIELDS: Final = (
    *("version", "status", "user_id", "ticket.id", "ticket.price_cents", "ticket.currency"),
    *("expires_at", "payment_id", "updated_at", "seats"),
)
CHECKIN_FIELDS: Final = CheckinRow._fields[1:]  # without the id, which is `_id` in a document
TICKET_FIELDS: Final = TicketRow._fields[1:]
PAYMENT_FIELDS: Final = PaymentRow._fields[1:]
DEADLINE_FIELDS: Final = DeadlineRow._fields[1:]
COPIED_ORDER_FIELDS: Final = ("version", "status", "ticket.price_cents", "seats")
COPIED_TICKET_FIELDS: Final = ("version", "status", "price_cents", "quantity")
COPIED_PAYMENT_FIELDS: Final = ("version", "status", "amount_cents")


def order_row(found: Document) -> OrderRow:
    """From orders.orders."""
    ticket = found["ticket"]
    return OrderRow(
        found["_id"],
        found["version"],
        found["status"],
        found["user_id"],
        ticket["id"],
        ticket["price_cents"],
        ticket["currency"],
        found["expires_at"],
        found.get("payment_id"),
        found["updated_at"],
        _seats(found),
    )


def checkin_row(found: Document) -> CheckinRow:
    """From orders.checkins."""
    return _row(CheckinRow, CHECKIN_FIELDS, found)


def ticket_row(found: Document) -> TicketRow:
    """From tickets.tickets."""
    return _row(TicketRow, TICKET_FIELDS, found)


def payment_row(found: Document) -> PaymentRow:
    """From payments.payments."""
    return _row(PaymentRow, PAYMENT_FIELDS, found)


def deadline_row(found: Document) -> DeadlineRow:
    """From expiration.deadlines."""
    return _row(DeadlineRow, DEADLINE_FIELDS, found)


def _row(make: Callable[..., R], fields: tuple[str, ...], found: Document) -> R:
    """A row whose fields have the names of the document's. Those with a default may be missing in the document."""
    return make(found["_id"], **{name: found[name] for name in fields if name in found})


def copied_order(found: Document) -> Copy:
    """From tickets.orders and payments.orders."""
    return Copy(found["_id"], found["version"], found["status"], found["ticket"]["price_cents"], len(_seats(found)))


def copied_ticket(found: Document) -> Copy:
    """From orders.tickets."""
    return Copy(found["_id"], found["version"], found["status"], found["price_cents"], found.get("quantity", 1))


def copied_payment(found: Document) -> Copy:
    """From orders.payments."""
    return Copy(found["_id"], found["version"], found["status"], found["amount_cents"])


def _seats(found: Document) -> tuple[int, ...]:
    """An order of the version in which a listing had one seat has no seats in its document: it has seat 1."""
    return tuple(found.get("seats", (1,)))
