"""Each violation of one invariant in a consistent marketplace is reported, and nothing else."""

from datetime import datetime

import pytest
from nats.js import JetStreamContext

from ticketing_ops.audit import INVARIANTS, audit
from ticketing_ops.audit.stripe_intents import Intents, Stripe

from .breaks import BREAKS, BUS_BREAKS, Break, BreakBus, bus, money, projections, seats
from .marketplace import Marketplace
from .reports import named, on_bus


def test_every_invariant_is_broken_here() -> None:
    assert {name for name, _ in BREAKS} | {name for name, _ in BUS_BREAKS} == INVARIANTS.keys()


async def test_a_consistent_marketplace_has_no_violation(marketplace: Marketplace) -> None:
    for stripe_all in (False, True):
        report = await audit(marketplace.addresses, grace_seconds=0.0, stripe_all=stripe_all)
        assert report.violations == []


@pytest.mark.parametrize(("invariant", "make"), BREAKS, ids=lambda value: getattr(value, "__name__", None))
async def test_what_is_broken_is_named_and_nothing_else(marketplace: Marketplace, invariant: str, make: Break) -> None:
    make(marketplace)
    assert await named(marketplace) == [invariant]


@pytest.mark.parametrize(("invariant", "make"), BUS_BREAKS, ids=lambda value: getattr(value, "__name__", None))
async def test_what_is_broken_on_the_bus_is_named(marketplace: Marketplace, invariant: str, make: BreakBus) -> None:
    await on_bus(marketplace, make)
    assert await named(marketplace) == [invariant]


async def test_an_event_that_its_consumer_stored_as_a_dead_letter_is_reported_once(marketplace: Marketplace) -> None:
    async def stored_as_dead_letter(js: JetStreamContext) -> object:
        await bus.a_dead_letter(js)
        kind = "io.nats.jetstream.advisory.v1.terminated"
        return await bus.an_advisory(js, type=kind, reason="copied to the dead letters")

    await on_bus(marketplace, stored_as_dead_letter)
    assert await named(marketplace) == ["dead_letter"]


async def test_a_violation_says_where_and_what_repairs_it(marketplace: Marketplace) -> None:
    seats.hold_overdue(marketplace)
    (violation,) = (await audit(marketplace.addresses)).violations
    assert violation.ids == {"order": marketplace.held_order, "ticket": marketplace.held}
    assert violation.repair == INVARIANTS["hold_overdue"].repair
    assert "due" in violation.detail


async def test_a_refund_of_an_old_payment_is_found(marketplace: Marketplace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The PaymentIntent is older than a day; the refund and the dispute are recent."""

    async def nothing_recent(_stripe: Stripe, now: datetime) -> Intents:
        return Intents([], since=now)

    monkeypatch.setattr(Stripe, "recent", nothing_recent)
    assert await named(marketplace) == []
    money.refunded_without_us(marketplace)
    assert await named(marketplace) == ["payment_disagrees_with_stripe"]


async def test_a_document_that_cannot_be_read_hides_nothing_else(marketplace: Marketplace) -> None:
    projections.a_ticket_without_a_version(marketplace)
    seats.hold_overdue(marketplace)
    assert sorted(await named(marketplace)) == ["document_unreadable", "hold_overdue"]
