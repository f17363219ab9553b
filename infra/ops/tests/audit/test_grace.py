"""What may still be in transit is not reported: recent changes, and states that changed between two readings."""

import pytest

from ticketing_common.entity import utc_now
from ticketing_ops.audit import examination

from .breaks import Break, accounts, bus, money, projections, seats
from .marketplace import Marketplace
from .reports import named, on_bus


@pytest.mark.parametrize(
    "make",
    [
        seats.held_for_a_cancelled_order,
        seats.an_order_whose_ticket_is_free,
        seats.a_paid_order_of_a_cancelled_event,
        money.complete_without_payment,
        money.complete_not_captured,
        money.captured_for_a_cancelled_order,
        money.authorized_for_a_cancelled_order,
        money.an_intent_of_a_lost_payment,
        projections.tickets_lacks_an_order,
        projections.orders_has_an_old_ticket,
        projections.a_deadline_is_missing,
        accounts.outbox_stuck,
    ],
    ids=lambda make: make.__name__,
)
async def test_a_recent_change_may_still_be_in_transit(marketplace: Marketplace, make: Break) -> None:
    make(marketplace)
    now = utc_now()
    for service, name in (("orders", "orders"), ("tickets", "tickets"), ("payments", "payments")):
        places = {"updated_at": now}
        marketplace.collection(service, name).update_many({}, {"$set": places})
    marketplace.collection("orders", "orders").update_many(
        {"outbox.0": {"$exists": True}}, {"$set": {"outbox.0.at": now}}
    )
    assert await named(marketplace, grace_seconds=60.0) == []


@pytest.mark.parametrize("make", [money.refunded_without_us, money.disputed_without_us], ids=lambda make: make.__name__)
async def test_a_recent_change_at_stripe_is_not_reported_yet(marketplace: Marketplace, make: Break) -> None:
    make(marketplace)
    assert await named(marketplace, grace_seconds=10.0) == []


async def test_an_event_that_came_just_now_may_still_be_handled(marketplace: Marketplace) -> None:
    await on_bus(marketplace, bus.an_event_without_acknowledgement)
    assert await named(marketplace, grace_seconds=60.0) == []


@pytest.mark.parametrize("repaired", [True, False], ids=["current again", "behind at another version"])
async def test_a_state_that_changed_before_the_second_reading_is_not_reported(
    marketplace: Marketplace, monkeypatch: pytest.MonkeyPatch, repaired: bool
) -> None:
    projections.orders_has_an_old_ticket(marketplace)
    read, suspected = examination._read, []

    async def read_then_change(*arguments: object) -> object:
        found = await read(*arguments)  # type: ignore[arg-type]
        suspected.append([finding.invariant for finding in found.findings.values()])
        marketplace.change("orders", "tickets", marketplace.free_ticket, version=3 if repaired else 4)
        if not repaired:
            marketplace.change("tickets", "tickets", marketplace.free_ticket, version=5)
        return found

    monkeypatch.setattr(examination, "_read", read_then_change)
    assert await named(marketplace) == []
    assert suspected == [["projection_behind"], [] if repaired else ["projection_behind"]]
