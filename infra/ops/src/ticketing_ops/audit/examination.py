"""Reads everything, then reads again what seemed to violate an invariant.

Five databases, the event bus and Stripe keep changing while the audit reads them: of two documents that are read a
second apart, one may have changed in between. A grace period alone does not solve this. It bounds how long an event
may be in transit, so it works for a state that must *follow* from another; but a copy that is read after its source
seems to be ahead of it, however old the source is. So two conditions apply. A check that expects a later state counts
only once all documents concerned have been unchanged for the grace period. Every suspicion is read again after a
pause, alone and in all places at the same time, and counts if the same invariant is violated at the same versions.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol, TypeVar

from nats.aio.client import Client

from ticketing_common.entity import utc_now
from ticketing_common.storage import Document

from . import admissions, bus, copies, holds, money
from .accounts import account_findings
from .addresses import AuditAddresses
from .cases import OrderCase, PaymentCase, TicketCase, order_cases, payment_cases, ticket_cases
from .databases import Databases
from .invariants import INVARIANTS, Finding, Moment, Violation
from .mails import mail_findings
from .outboxes import outbox_findings
from .stripe_intents import RELIST_ABOVE, Intents, Stripe
from .unreadable import UnreadableError

GRACE_SECONDS: Final = 10.0
PAUSE_SECONDS: Final = 1.0
OWNERS_AT_ONCE: Final = 1_000

ORDER_CHECKS: Final[tuple[Callable[[OrderCase, Moment], Iterator[Finding]], ...]] = (
    holds.hold_overdue,
    money.complete_without_payment,
    money.paid_other_price,
    money.complete_not_captured,
    money.charged_twice,
    money.captured_without_order,
    money.authorization_not_voided,
    money.intent_unknown,
    money.complete_refunded,
    money.refunded_in_part,
    money.dispute_open,
    money.payment_disagrees_with_stripe,
    admissions.checkin_without_order,
    admissions.checkin_of_other_seat,
    admissions.checked_in_twice,
    admissions.checkin_after_end,
    copies.copied_orders,
    copies.copied_deadline,
)
TICKET_CHECKS: Final[tuple[Callable[[TicketCase, Moment], Iterator[Finding]], ...]] = (
    holds.seat_taken_twice,
    holds.seats_beyond_quantity,
    holds.seats_miscounted,
    holds.ticket_without_order,
    holds.order_without_ticket,
    holds.order_of_cancelled_event,
    copies.copied_tickets,
)
PAYMENT_CHECKS: Final[tuple[Callable[[PaymentCase, Moment], Iterator[Finding]], ...]] = (copies.copied_payments,)

Suspicion = tuple[str, tuple[tuple[str, str], ...], tuple[object, ...]]
"""What must be equal in both readings: the invariant, the ids, the evidence."""


class _Case(Protocol):
    @property
    def id(self) -> str: ...

    def evidence(self) -> tuple[object, ...]: ...


C = TypeVar("C", bound=_Case)


@dataclass(frozen=True, slots=True)
class Report:
    """The violations, how many documents were read (by part), and the duration in seconds."""

    violations: list[Violation]
    read: dict[str, int]
    seconds: float


@dataclass(slots=True)
class _Suspects:
    """The findings of one reading, and the cases that must be read again."""

    findings: dict[Suspicion, Finding] = field(default_factory=dict)
    orders: set[str] = field(default_factory=set)
    tickets: set[str] = field(default_factory=set)
    payments: set[str] = field(default_factory=set)

    def add(self, finding: Finding, evidence: tuple[object, ...]) -> None:
        """Add a finding; two findings of one invariant about the same ids are one."""
        self.findings[finding.invariant, finding.ids, evidence] = finding


@dataclass(frozen=True, slots=True)
class _Parts:
    databases: Databases
    bus: Client
    stripe: Stripe


async def audit(addresses: AuditAddresses, *, grace_seconds: float = GRACE_SECONDS, stripe_all: bool = False) -> Report:
    """Every violation, in the order of the table; none when all invariants hold. Raises `UnreadableError`.

    `grace_seconds` is how long an event may be in transit. Reads Stripe's PaymentIntents of the last day and those of
    unsettled payments, or with `stripe_all` every one.
    """
    loop = asyncio.get_running_loop()
    begun = loop.time()
    grace = timedelta(seconds=grace_seconds)
    async with (
        Databases.connect(addresses) as databases,
        bus.connected(addresses.nats_url, ca_file=addresses.ca_file) as client,
        Stripe.connect(addresses) as stripe,
    ):
        parts = _Parts(databases, client, stripe)
        intents = await _intents(parts, every=stripe_all)
        first = await _read(parts, Moment(utc_now(), grace), intents, None)
        read = {**databases.documents, "stripe.payment_intents": len(intents)}
        violations: list[Violation] = []
        if first.findings:
            await asyncio.sleep(PAUSE_SECONDS)
            again = await _intents_of(parts, intents, first.orders, every=stripe_all)
            second = await _read(parts, Moment(utc_now(), grace), again, first)
            violations = [finding.violation() for key, finding in second.findings.items() if key in first.findings]
    rank = {name: number for number, name in enumerate(INVARIANTS)}
    violations.sort(key=lambda violation: (rank[violation.invariant], *violation.ids.values()))
    return Report(violations, read, loop.time() - begun)


async def _read(parts: _Parts, moment: Moment, intents: Intents, only: _Suspects | None) -> _Suspects:
    """Read everything, or only the suspects; outboxes and bus are small and always read completely."""
    found = _Suspects()
    owners: dict[str, tuple[str, str]] = {}

    async def orders() -> None:
        cases = order_cases(parts.databases, intents, only.orders if only else None)
        async for case in _checked(cases, ORDER_CHECKS, moment, found, found.orders):
            if case.order is not None and case.order.user_id:  # empty in the record of an old order
                owners.setdefault(case.order.user_id, ("order", case.id))

    async def tickets() -> None:
        cases = ticket_cases(parts.databases, only.tickets if only else None)
        async for case in _checked(cases, TICKET_CHECKS, moment, found, found.tickets):
            if case.ticket is not None:
                owners.setdefault(case.ticket.user_id, ("ticket", case.id))

    async def payments() -> None:
        cases = payment_cases(parts.databases, only.payments if only else None)
        async for _ in _checked(cases, PAYMENT_CHECKS, moment, found, found.payments):
            pass

    async def elsewhere() -> None:
        async for finding, evidence in outbox_findings(parts.databases, moment):
            found.add(finding, evidence)
        async for finding, evidence in account_findings(parts.databases, moment):
            found.add(finding, evidence)
        async for finding in mail_findings(parts.databases, moment):
            found.add(finding, ())
        async for finding, evidence in bus.bus_findings(parts.bus, moment):
            found.add(finding, evidence)

    try:
        async with asyncio.TaskGroup() as group:  # the first part that cannot be read cancels the others
            for part in (orders(), tickets(), payments(), elsewhere()):
                group.create_task(part)
    except* UnreadableError as errors:
        raise errors.exceptions[0] from None
    await _owners(parts.databases, owners, found)
    _unreadable(parts.databases, found)
    return found


def _unreadable(databases: Databases, found: _Suspects) -> None:
    """Report each document without the expected fields; drop other findings that name it, since they are unreliable."""
    documents = {key for _, key in databases.unreadable}
    for suspicion in list(found.findings):
        if documents & {key for _, key in suspicion[1]}:
            del found.findings[suspicion]
    for (place, key), problem in databases.unreadable.items():
        found.add(Finding.of("document_unreadable", problem, place=place, document=key), ())


async def _checked(
    cases: AsyncIterator[C],
    checks: tuple[Callable[[C, Moment], Iterator[Finding]], ...],
    moment: Moment,
    found: _Suspects,
    suspicious: set[str],
) -> AsyncIterator[C]:
    async with aclosing(cases) as open_cases:  # type: ignore[type-var]  # they are generators
        async for case in open_cases:
            for check in checks:
                for finding in check(case, moment):
                    found.add(finding, case.evidence())
                    suspicious.add(case.id)
            yield case


async def _owners(databases: Databases, owners: dict[str, tuple[str, str]], found: _Suspects) -> None:
    """Report owners without an account; auth keeps the id of a deleted one."""
    user_ids = sorted(owners)
    for start in range(0, len(user_ids), OWNERS_AT_ONCE):
        some = user_ids[start : start + OWNERS_AT_ONCE]
        known = set(await databases.rows("auth", "users", _user_id, ("_id",), where={"_id": {"$in": some}}))
        for user_id in (user for user in some if user not in known):
            kind, key = owners[user_id]
            finding = Finding.of("owner_unknown", f"of {kind} {key}, for instance", user=user_id)
            found.add(finding, ())
            (found.orders if kind == "order" else found.tickets).add(key)


def _user_id(found: Document) -> str:
    user_id: str = found["_id"]
    return user_id


async def _intents(parts: _Parts, *, every: bool) -> Intents:
    """All PaymentIntents, or the recent ones and those of unsettled or refunded payments, at any age."""
    back = await parts.stripe.money_back(utc_now(), every=every)
    intents = await _listed(parts, every=every)
    older = await parts.stripe.these(intents.missing(back))
    return intents.joined(older).with_money(back)


async def _listed(parts: _Parts, *, every: bool) -> Intents:
    if every:
        return await parts.stripe.all()
    recent = await parts.stripe.recent(utc_now())
    unsettled: Document = {
        "status": {"$in": ["initiated", "requires_action", "authorized"]},
        "stripe_id": {"$ne": None},
        "created_at": {"$lt": recent.since},
    }
    if recent.since is None:
        return recent
    ids = await parts.databases.rows("payments", "payments", _stripe_id, ("stripe_id",), where=unsettled)
    return recent.joined(await parts.stripe.these(ids)) if ids else recent


async def _intents_of(parts: _Parts, before: Intents, orders: Collection[str], *, every: bool) -> Intents:
    """The PaymentIntents of the suspicious orders and their payments, read again from Stripe."""
    where: Document = {"order_id": {"$in": sorted(orders)}, "stripe_id": {"$ne": None}}
    ids = set(await parts.databases.rows("payments", "payments", _stripe_id, ("stripe_id",), where=where))
    ids |= before.ids_of(orders)
    if len(ids) > RELIST_ABOVE:
        return await _intents(parts, every=every)
    back = await parts.stripe.money_back(utc_now(), every=every)
    return Intents(await parts.stripe.these(ids), since=before.since).with_money(back)


def _stripe_id(found: Document) -> str:
    stripe_id: str = found["stripe_id"]
    return stripe_id
