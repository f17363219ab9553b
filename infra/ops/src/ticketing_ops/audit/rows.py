"""The fields of each document that the checks use.

They are read by name and not through the services' models, so that an error in a model cannot hide in the audit too. A
field that a service renames must be renamed here; the flow test with the real stack fails otherwise.
"""

from datetime import datetime
from typing import Final, NamedTuple

from ticketing_common.storage import Document

__all__ = [
    "CHECKIN_FIELDS",
    "COPIED_ORDER_FIELDS",
    "COPIED_PAYMENT_FIELDS",
    "COPIED_TICKET_FIELDS",
    "DEADLINE_FIELDS",
    "ORDER_FIELDS",
    "PAYMENT_FIELDS",
    "TICKET_FIELDS",
    "CheckinRow",
    "Copy",
    "DeadlineRow",
    "OrderRow",
    "PaymentRow",
    "TicketRow",
    "checkin_row",
    "copied_order",
    "copied_payment",
    "copied_ticket",
    "deadline_row",
    "order_row",
    "payment_row",
    "ticket_row",
]


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
    order_id: str | None
    user_id: str
    price_cents: int
    updated_at: datetime
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
    stripe_id: str | None
    refunded_cents: int
    disputed: bool
    check_at: datetime | None
    created_at: datetime
    updated_at: datetime


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
CHECKIN_FIELDS: Final = ("pass_id", "order_id", "ticket_id", "seat", "checked_in_at")
TICKET_FIELDS: Final = (
    *("version", "status", "order_id", "user_id", "price_cents", "updated_at"),
    *("quantity", "highest_seat", "held", "sold"),
)
PAYMENT_FIELDS: Final = (
    *("version", "order_id", "status", "amount_cents", "currency", "stripe_id", "refunded_cents"),
    *("disputed", "check_at"),
    *("created_at", "updated_at"),
)
DEADLINE_FIELDS: Final = ("version", "status", "expires_at", "updated_at")
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
    return CheckinRow(
        found["_id"],
        found["pass_id"],
        found["order_id"],
        found["ticket_id"],
        found["seat"],
        found["checked_in_at"],
    )


def ticket_row(found: Document) -> TicketRow:
    """From tickets.tickets."""
    return TicketRow(
        found["_id"],
        found["version"],
        found["status"],
        found.get("order_id"),
        found["user_id"],
        found["price_cents"],
        found["updated_at"],
        found.get("quantity", 1),
        found.get("highest_seat", 1),
        found.get("held", 0),
        found.get("sold", 0),
    )


def payment_row(found: Document) -> PaymentRow:
    """From payments.payments."""
    return PaymentRow(
        found["_id"],
        found["version"],
        found["order_id"],
        found["status"],
        found["amount_cents"],
        found["currency"],
        found.get("stripe_id"),
        found.get("refunded_cents", 0),
        found.get("disputed", False),
        found.get("check_at"),
        found["created_at"],
        found["updated_at"],
    )


def deadline_row(found: Document) -> DeadlineRow:
    """From expiration.deadlines."""
    return DeadlineRow(found["_id"], found["version"], found["status"], found["expires_at"], found["updated_at"])


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
