"""Checks of the projections: one service's copies of another's aggregates."""

from collections.abc import Iterator
from datetime import datetime

from .cases import OrderCase, PaymentCase, TicketCase
from .invariants import Finding, Moment
from .rows import Copy, OrderRow


def copied_orders(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """The copies of an order in tickets and payments."""
    order = case.order
    source = order and Copy(order.id, order.version, order.status, order.price_cents, len(order.seats))
    for place, copy in (("tickets.orders", case.in_tickets), ("payments.orders", case.in_payments)):
        yield from _compared(place, case.id, source, copy, moment, order and order.updated_at)


def copied_tickets(case: TicketCase, moment: Moment) -> Iterator[Finding]:
    """The copy of a ticket in orders; tickets publishes every change."""
    ticket = case.ticket
    source = ticket and Copy(ticket.id, ticket.version, ticket.status, ticket.price_cents, ticket.quantity)
    yield from _compared("orders.tickets", case.id, source, case.in_orders, moment, ticket and ticket.updated_at)


def copied_payments(case: PaymentCase, moment: Moment) -> Iterator[Finding]:
    """The copy of a payment in orders, which subscribes to the events of these statuses, and of part refunds."""
    payment, copy = case.payment, case.in_orders
    if payment is None or payment.status in ("authorized", "failed", "refunded"):
        source = payment and Copy(payment.id, payment.version, payment.status, payment.amount_cents)
        yield from _compared("orders.payments", case.id, source, copy, moment, payment and payment.updated_at)
    elif copy is not None and copy.version > payment.version:
        yield _ahead("orders.payments", case.id, f"at version {copy.version}, its source at {payment.version}")


def copied_deadline(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """The deadline of an order in expiration. It has versions of its own, so the check compares its state."""
    place, order, deadline = "expiration.deadlines", case.order, case.deadline
    if order is None:
        if deadline is not None:
            yield _ahead(place, case.id, "its source does not exist")
    elif deadline is None:
        if moment.settled(order.updated_at):
            yield _behind(place, case.id, f"missing, its source is {order.status}")
    elif deadline.expires_at != order.expires_at:
        yield Finding.of("projection_differs", "another deadline than the order's", **_ids(place, case.id))
    elif order.status == "created":
        if deadline.status == "off" or (deadline.status == "completed" and _early(order, moment)):
            yield _ahead(place, case.id, f"{deadline.status}, and the order is still created")
    elif deadline.status == "pending" and moment.settled(order.updated_at):
        yield _behind(place, case.id, f"pending, and the order is {order.status}")


def _early(order: OrderRow, moment: Moment) -> bool:
    return order.expires_at > moment.now


def _compared(
    place: str, key: str, source: Copy | None, copy: Copy | None, moment: Moment, changed_at: datetime | None
) -> Iterator[Finding]:
    if source is None:
        if copy is not None:
            yield _ahead(place, key, "its source does not exist")
    elif copy is None or copy.version < source.version:
        if moment.settled(changed_at):
            at = "missing" if copy is None else f"at version {copy.version}"
            yield _behind(place, key, f"{at}, its source at {source.version}")
    elif copy.version > source.version:
        yield _ahead(place, key, f"at version {copy.version}, its source at {source.version}")
    elif copy != source:
        states = f"{_state_of(copy)}, its source {_state_of(source)}"
        yield Finding.of("projection_differs", f"both at version {copy.version}: {states}", **_ids(place, key))


def _state_of(copy: Copy) -> str:
    seats = f" and {copy.seats} seats" if copy.seats > 1 else ""
    return f"{copy.status} at {copy.cents} cents{seats}"


def _ids(place: str, key: str) -> dict[str, str | None]:
    """The collection of the copy, and the id of its aggregate by kind."""
    kind = {"tickets.orders": "order", "payments.orders": "order", "expiration.deadlines": "order"}.get(
        place, "ticket" if place == "orders.tickets" else "payment"
    )
    return {"projection": place, kind: key}


def _behind(place: str, key: str, detail: str) -> Finding:
    return Finding.of("projection_behind", detail, **_ids(place, key))


def _ahead(place: str, key: str, detail: str) -> Finding:
    return Finding.of("projection_ahead", detail, **_ids(place, key))
