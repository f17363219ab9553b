"""The input of the checks: one order, ticket or payment with all its copies and related documents."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from ticketing_common.storage import Document

from .databases import Databases
from .merging import Stream, merged
from .rows import (
    CHECKIN_FIELDS,
    COPIED_ORDER_FIELDS,
    COPIED_PAYMENT_FIELDS,
    COPIED_TICKET_FIELDS,
    DEADLINE_FIELDS,
    ORDER_FIELDS,
    PAYMENT_FIELDS,
    TICKET_FIELDS,
    CheckinRow,
    Copy,
    DeadlineRow,
    OrderRow,
    PaymentRow,
    TicketRow,
    checkin_row,
    copied_order,
    copied_payment,
    copied_ticket,
    deadline_row,
    order_row,
    payment_row,
    ticket_row,
)
from .stripe_intents import Intent, Intents

R = TypeVar("R")

ACTIVE: Final[Document] = {"status": {"$in": ["created", "complete"]}}
HOLDERS_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class OrderCase:
    """An order: its copies, its deadline, its payments, the PaymentIntents that name it, and its check-ins."""

    id: str
    order: OrderRow | None
    in_tickets: Copy | None
    in_payments: Copy | None
    deadline: DeadlineRow | None
    payments: tuple[PaymentRow, ...]
    named_intents: tuple[Intent, ...]
    intents: Intents
    checkins: tuple[CheckinRow, ...] = ()

    def intent(self, payment: PaymentRow) -> Intent | None:
        """The PaymentIntent that this row names, if it was read."""
        return self.intents.of(payment)

    def evidence(self) -> tuple[object, ...]:
        """What must be equal at the second reading."""
        rows = (self.order, self.in_tickets, self.in_payments, self.deadline, *self.payments)
        seen = {*self.named_intents, *filter(None, map(self.intent, self.payments))}
        return (
            *(row and row.version for row in rows),
            *sorted(checkin.id for checkin in self.checkins),
            *sorted((intent.id, intent.state, intent.refunded_cents, intent.disputed) for intent in seen),
        )


@dataclass(frozen=True, slots=True)
class TicketCase:
    """A ticket, its copy, and its active orders; `holder` is the inactive order that the ticket names, if any."""

    id: str
    ticket: TicketRow | None
    in_orders: Copy | None
    active: tuple[OrderRow, ...]
    holder: OrderRow | None = None

    @property
    def seats(self) -> set[int]:
        """The seats of the active orders."""
        return {seat for order in self.active for seat in order.seats}

    @property
    def changed_at(self) -> list[datetime]:
        """When each active order changed last; the second reading covers orders that ended meanwhile."""
        return [order.updated_at for order in self.active]

    def evidence(self) -> tuple[object, ...]:
        """What must be equal at the second reading."""
        rows = (self.ticket, self.in_orders, self.holder)
        return (*(row and row.version for row in rows), *((order.id, order.version) for order in self.active))


@dataclass(frozen=True, slots=True)
class PaymentCase:
    """A payment and its copy."""

    id: str
    payment: PaymentRow | None
    in_orders: Copy | None

    def evidence(self) -> tuple[object, ...]:
        """What must be equal at the second reading."""
        return tuple(row and row.version for row in (self.payment, self.in_orders))


def _by_id(row: Any) -> str:
    key: str = row.id
    return key


def _only(field: str, ids: Collection[str] | None) -> Document:
    return {} if ids is None else {field: {"$in": sorted(ids)}}


def _one(rows: list[R]) -> R | None:
    return rows[0] if rows else None


async def order_cases(databases: Databases, intents: Intents, only: Collection[str] | None) -> AsyncIterator[OrderCase]:
    """Every order in any database or in Stripe's metadata, or only these."""
    these = _only("_id", only)
    streams = (
        Stream(databases.batches("orders", "orders", order_row, ORDER_FIELDS, where=these), _by_id),
        Stream(databases.batches("tickets", "orders", copied_order, COPIED_ORDER_FIELDS, where=these), _by_id),
        Stream(databases.batches("payments", "orders", copied_order, COPIED_ORDER_FIELDS, where=these), _by_id),
        Stream(databases.batches("expiration", "deadlines", deadline_row, DEADLINE_FIELDS, where=these), _by_id),
        Stream(
            databases.batches(
                *("payments", "payments", payment_row, PAYMENT_FIELDS),
                where=_only("order_id", only),
                by=("order_id", "attempt"),
            ),
            lambda payment: payment.order_id,
        ),
        Stream(intents.by_order(only), lambda intent: intent.order_id),
        Stream(
            databases.batches(
                *("orders", "checkins", checkin_row, CHECKIN_FIELDS), where=_only("order_id", only), by=("order_id",)
            ),
            lambda checkin: checkin.order_id,
        ),
    )
    async for order_id, (order, in_tickets, in_payments, deadline, payments, named, checkins) in merged(*streams):
        yield OrderCase(
            order_id,
            *(_one(order), _one(in_tickets), _one(in_payments), _one(deadline)),
            payments=tuple(payments),
            named_intents=tuple(named),
            intents=intents,
            checkins=tuple(checkins),
        )


async def ticket_cases(databases: Databases, only: Collection[str] | None) -> AsyncIterator[TicketCase]:
    """Every ticket in any database, or only these."""
    these = _only("_id", only)
    streams = (
        Stream(databases.batches("tickets", "tickets", ticket_row, TICKET_FIELDS, where=these), _by_id),
        Stream(databases.batches("orders", "tickets", copied_ticket, COPIED_TICKET_FIELDS, where=these), _by_id),
        Stream(
            databases.batches(
                *("orders", "orders", order_row, ORDER_FIELDS),
                where={**ACTIVE, **_only("ticket.id", only)},
                by=("ticket.id",),
            ),
            lambda order: order.ticket_id,
        ),
    )
    waiting: list[TicketCase] = []
    async for ticket_id, (ticket, in_orders, active) in merged(*streams):
        case = TicketCase(ticket_id, _one(ticket), _one(in_orders), tuple(active))
        if case.ticket and case.ticket.order_id and case.ticket.order_id not in {order.id for order in case.active}:
            waiting.append(case)
        else:
            yield case
        if len(waiting) == HOLDERS_AT_ONCE:
            for completed in await _with_holders(databases, waiting):
                yield completed
            waiting = []
    for completed in await _with_holders(databases, waiting):
        yield completed


async def _with_holders(databases: Databases, cases: list[TicketCase]) -> list[TicketCase]:
    ids = {case.ticket.order_id for case in cases if case.ticket and case.ticket.order_id}
    if not ids:
        return []
    found = await databases.rows("orders", "orders", order_row, ORDER_FIELDS, where=_only("_id", ids))
    holders = {order.id: order for order in found}
    return [
        TicketCase(case.id, case.ticket, case.in_orders, case.active, holders.get(case.ticket.order_id or ""))
        for case in cases
        if case.ticket
    ]


async def payment_cases(databases: Databases, only: Collection[str] | None) -> AsyncIterator[PaymentCase]:
    """Every payment in any database, or only these."""
    these = _only("_id", only)
    streams = (
        Stream(databases.batches("payments", "payments", payment_row, PAYMENT_FIELDS, where=these), _by_id),
        Stream(databases.batches("orders", "payments", copied_payment, COPIED_PAYMENT_FIELDS, where=these), _by_id),
    )
    async for payment_id, (payment, in_orders) in merged(*streams):
        yield PaymentCase(payment_id, _one(payment), _one(in_orders))
