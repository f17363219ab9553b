"""Each invariant is broken by hand, in a marketplace where all else is well, and is the only one named."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import nats
import pytest
from nats.js import JetStreamContext

from ticketing_common.entity import new_id, utc_now
from ticketing_local.audit import INVARIANTS, audit, examination
from ticketing_local.audit.stripe_intents import Intents, Stripe

from .marketplace import PRICE, World

Break = Callable[[World], None]
BreakBus = Callable[[JetStreamContext], Awaitable[object]]


def seat_taken_twice(world: World) -> None:
    world.order("created", world.held)


def seat_taken_twice_among_others(world: World) -> None:
    world.change("orders", "orders", world.order_of_two, seats=[7, 2])


def more_seats_than_the_listing_has(world: World) -> None:
    world.change("tickets", "tickets", world.many, quantity=2)
    world.change("orders", "tickets", world.many, quantity=2)


def a_seat_with_a_number_that_there_is_not(world: World) -> None:
    world.change("tickets", "tickets", world.many, highest_seat=6)


def seats_miscounted(world: World) -> None:
    world.change("tickets", "tickets", world.many, held=1)


def a_copy_with_other_seats(world: World) -> None:
    world.change("payments", "orders", world.order_of_two, seats=[2])


def seats_of_a_listing_that_is_lost(world: World) -> None:
    lost = new_id()
    for seat in (1, 2):
        world.order("created", lost, seats=[seat])


def hold_overdue(world: World) -> None:
    past = utc_now() - timedelta(minutes=1)
    world.change("orders", "orders", world.held_order, expires_at=past)
    world.change("expiration", "deadlines", world.held_order, expires_at=past)


def held_for_a_cancelled_order(world: World) -> None:
    world.ticket("held", world.cancelled_order, key=world.let_go)


def sold_for_an_order_that_never_was(world: World) -> None:
    world.ticket("sold", new_id(), key=world.let_go)


def an_order_whose_ticket_is_free(world: World) -> None:
    world.ticket("available", None, key=world.held)


def an_order_whose_ticket_is_only_held(world: World) -> None:
    world.ticket("held", world.paid_order, key=world.sold)


def an_order_whose_ticket_is_lost(world: World) -> None:
    world.order("created", new_id())


def complete_without_payment(world: World) -> None:
    world.order("complete", world.ticket("available", None, key=world.held), key=world.held_order)
    world.ticket("sold", world.held_order, key=world.held)


def complete_by_another_orders_payment(world: World) -> None:
    world.order("complete", world.held, key=world.held_order, payment=world.payment)
    world.ticket("sold", world.held_order, key=world.held)


def paid_other_price(world: World) -> None:
    for service in ("orders", "tickets", "payments"):
        world.change(service, "orders", world.paid_order, **{"ticket.price_cents": PRICE + 1})


def paid_in_another_currency(world: World) -> None:
    world.change("orders", "orders", world.paid_order, **{"ticket.currency": "eur"})


def complete_not_captured(world: World) -> None:
    payment = new_id()
    intent = world.authorized_intent(world.held_order, payment)
    world.pay(world.held_order, "authorized", intent, key=payment)
    world.order("complete", world.held, key=world.held_order, payment=payment)
    world.ticket("sold", world.held_order, key=world.held)


def captured_for_a_cancelled_order(world: World) -> None:
    payment = new_id()
    intent = world.captured_intent(world.cancelled_order, payment)
    world.pay(world.cancelled_order, "captured", intent, key=payment, attempt=2)


def captured_in_stripe_for_a_voided_payment(world: World) -> None:
    intent = world.captured_intent(world.cancelled_order, world.voided)
    world.change("payments", "payments", world.voided, stripe_id=intent)


def captured_while_the_order_is_unpaid(world: World) -> None:
    payment = new_id()
    world.pay(world.held_order, "captured", world.captured_intent(world.held_order, payment), key=payment)


def authorized_for_a_cancelled_order(world: World) -> None:
    payment = new_id()
    intent = world.authorized_intent(world.cancelled_order, payment)
    world.pay(world.cancelled_order, "authorized", intent, key=payment, attempt=2)


def authorized_in_stripe_for_a_voided_payment(world: World) -> None:
    intent = world.authorized_intent(world.cancelled_order, world.voided)
    world.change("payments", "payments", world.voided, stripe_id=intent)


def charged_twice_by_two_payments(world: World) -> None:
    payment = new_id()
    world.pay(world.paid_order, "voided", world.captured_intent(world.paid_order, payment), key=payment, attempt=2)


def charged_twice_by_one_payment(world: World) -> None:
    world.captured_intent(world.paid_order, world.payment)


def an_intent_of_a_lost_payment(world: World) -> None:
    world.authorized_intent(world.held_order, new_id())


def an_intent_of_a_lost_order(world: World) -> None:
    world.captured_intent(new_id(), new_id())


def an_intent_beside_the_one_that_the_row_names(world: World) -> None:
    world.authorized_intent(world.paid_order, world.payment)


def refunded_behind_our_back(world: World) -> None:
    world.stripe("refunds", payment_intent=world.intent)


def refunded_in_full(world: World) -> None:
    world.stripe("refunds", payment_intent=world.intent)
    world.pay(world.paid_order, "refunded", world.intent, key=world.payment, refunded_cents=PRICE)


def a_dispute_that_was_lost(world: World) -> None:
    world.dispute(world.intent, status="lost")
    world.pay(world.paid_order, "refunded", world.intent, key=world.payment, refunded_cents=PRICE)


def refunded_in_part(world: World) -> None:
    world.stripe("refunds", payment_intent=world.intent, amount=50)
    world.change("payments", "payments", world.payment, refunded_cents=50)


def a_dispute_that_is_open(world: World) -> None:
    world.dispute(world.intent)
    world.change("payments", "payments", world.payment, disputed=True)


def disputed_behind_our_back(world: World) -> None:
    world.dispute(world.intent)


def refunded_in_part_behind_our_back(world: World) -> None:
    world.stripe("refunds", payment_intent=world.intent, amount=50)


def a_refund_that_failed_of_a_complete_order(world: World) -> None:
    world.pay(world.paid_order, "refunded", world.intent, key=world.payment, refunded_cents=0)


def a_refund_that_failed_of_a_cancelled_order(world: World) -> None:
    payment = new_id()
    intent = world.captured_intent(world.cancelled_order, payment)
    world.pay(world.cancelled_order, "refunded", intent, key=payment, attempt=2, refunded_cents=0)


def authorized_here_and_captured_there(world: World) -> None:
    world.pay(world.paid_order, "authorized", world.intent, key=world.payment)


def authorized_there_and_nobody_asks(world: World) -> None:
    payment = new_id()
    world.pay(world.held_order, "initiated", world.authorized_intent(world.held_order, payment), key=payment)


def another_amount_in_stripe(world: World) -> None:
    intent = world.captured_intent(world.cancelled_order, world.voided, PRICE - 1)
    world.stripe("refunds", payment_intent=intent)
    world.change("payments", "payments", world.voided, stripe_id=intent)


def unknown_to_stripe(world: World) -> None:
    world.pay(world.held_order, "requires_action", "pi_lost")
    world.collection("payments", "payments").update_one({"stripe_id": "pi_lost"}, {"$set": {"created_at": utc_now()}})


def tickets_has_not_heard_of_an_order(world: World) -> None:
    world.remove("tickets", "orders", world.cancelled_order)


def payments_is_a_version_behind(world: World) -> None:
    world.change("payments", "orders", world.cancelled_order, version=1, status="created")


def orders_has_an_old_ticket(world: World) -> None:
    world.change("orders", "tickets", world.let_go, version=2)


def orders_has_not_heard_of_a_failure(world: World) -> None:
    world.remove("orders", "payments", world.pay(world.held_order, "failed", None))


def a_deadline_is_missing(world: World) -> None:
    world.remove("expiration", "deadlines", world.held_order)


def a_deadline_of_a_cancelled_order_still_runs(world: World) -> None:
    world.change("expiration", "deadlines", world.cancelled_order, status="pending")


def tickets_knows_an_order_that_never_was(world: World) -> None:
    world.put("tickets", "orders", new_id(), version=1, status="cancelled", ticket={"price_cents": PRICE})


def orders_is_ahead_of_a_ticket(world: World) -> None:
    world.change("orders", "tickets", world.let_go, version=9)


def orders_knows_a_payment_that_never_was(world: World) -> None:
    world.put("orders", "payments", new_id(), version=3, status="failed", amount_cents=PRICE)


def a_deadline_is_off_too_early(world: World) -> None:
    world.change("expiration", "deadlines", world.held_order, status="off")


def a_copy_says_otherwise(world: World) -> None:
    world.change("payments", "orders", world.cancelled_order, status="created")


def a_deadline_is_another(world: World) -> None:
    world.change("expiration", "deadlines", world.held_order, expires_at=utc_now() + timedelta(days=1))


def a_ticket_without_a_version(world: World) -> None:
    world.collection("tickets", "tickets").update_one({"_id": world.sold}, {"$unset": {"version": ""}})


def a_payment_without_an_amount(world: World) -> None:
    world.collection("payments", "payments").update_one({"_id": world.payment}, {"$unset": {"amount_cents": ""}})


def an_order_whose_ticket_is_no_document(world: World) -> None:
    world.change("orders", "orders", world.paid_order, ticket="none")


def owner_unknown(world: World) -> None:
    world.remove("auth", "users", world.seller)


def outbox_stuck(world: World) -> None:
    entry = {"id": new_id(), "subject": f"order.cancelled.{world.cancelled_order}", "body": "{}", "at": world.long_ago}
    world.change("orders", "orders", world.cancelled_order, outbox=[entry])


def outbox_parked(world: World) -> None:
    entry = {"id": new_id(), "subject": f"ticket.updated.{world.let_go}", "body": "{}", "at": world.long_ago}
    world.change("tickets", "tickets", world.let_go, outbox_parked=[{**entry, "error": "too large"}])


BREAKS: list[tuple[str, Break]] = [
    ("seat_taken_twice", seat_taken_twice),
    ("seat_taken_twice", seat_taken_twice_among_others),
    ("seats_beyond_quantity", more_seats_than_the_listing_has),
    ("seats_beyond_quantity", a_seat_with_a_number_that_there_is_not),
    ("seats_miscounted", seats_miscounted),
    ("projection_differs", a_copy_with_other_seats),
    ("order_without_ticket", seats_of_a_listing_that_is_lost),
    ("hold_overdue", hold_overdue),
    ("ticket_without_order", held_for_a_cancelled_order),
    ("ticket_without_order", sold_for_an_order_that_never_was),
    ("order_without_ticket", an_order_whose_ticket_is_free),
    ("order_without_ticket", an_order_whose_ticket_is_only_held),
    ("order_without_ticket", an_order_whose_ticket_is_lost),
    ("complete_without_payment", complete_without_payment),
    ("complete_without_payment", complete_by_another_orders_payment),
    ("paid_other_price", paid_other_price),
    ("paid_other_price", paid_in_another_currency),
    ("complete_not_captured", complete_not_captured),
    ("captured_without_order", captured_for_a_cancelled_order),
    ("captured_without_order", captured_in_stripe_for_a_voided_payment),
    ("captured_without_order", captured_while_the_order_is_unpaid),
    ("authorization_not_voided", authorized_for_a_cancelled_order),
    ("authorization_not_voided", authorized_in_stripe_for_a_voided_payment),
    ("charged_twice", charged_twice_by_two_payments),
    ("charged_twice", charged_twice_by_one_payment),
    ("intent_unknown", an_intent_of_a_lost_payment),
    ("intent_unknown", an_intent_of_a_lost_order),
    ("intent_unknown", an_intent_beside_the_one_that_the_row_names),
    ("complete_refunded", refunded_in_full),
    ("complete_refunded", a_dispute_that_was_lost),
    ("refunded_in_part", refunded_in_part),
    ("dispute_open", a_dispute_that_is_open),
    ("captured_without_order", a_refund_that_failed_of_a_cancelled_order),
    ("payment_disagrees_with_stripe", a_refund_that_failed_of_a_complete_order),
    ("payment_disagrees_with_stripe", disputed_behind_our_back),
    ("payment_disagrees_with_stripe", refunded_in_part_behind_our_back),
    ("payment_disagrees_with_stripe", refunded_behind_our_back),
    ("payment_disagrees_with_stripe", authorized_here_and_captured_there),
    ("payment_disagrees_with_stripe", authorized_there_and_nobody_asks),
    ("payment_disagrees_with_stripe", another_amount_in_stripe),
    ("payment_disagrees_with_stripe", unknown_to_stripe),
    ("projection_behind", tickets_has_not_heard_of_an_order),
    ("projection_behind", payments_is_a_version_behind),
    ("projection_behind", orders_has_an_old_ticket),
    ("projection_behind", orders_has_not_heard_of_a_failure),
    ("projection_behind", a_deadline_is_missing),
    ("projection_behind", a_deadline_of_a_cancelled_order_still_runs),
    ("projection_ahead", tickets_knows_an_order_that_never_was),
    ("projection_ahead", orders_is_ahead_of_a_ticket),
    ("projection_ahead", orders_knows_a_payment_that_never_was),
    ("projection_ahead", a_deadline_is_off_too_early),
    ("projection_differs", a_copy_says_otherwise),
    ("projection_differs", a_deadline_is_another),
    ("document_unreadable", a_ticket_without_a_version),
    ("document_unreadable", a_payment_without_an_amount),
    ("document_unreadable", an_order_whose_ticket_is_no_document),
    ("owner_unknown", owner_unknown),
    ("outbox_stuck", outbox_stuck),
    ("outbox_parked", outbox_parked),
]

LETTER = {
    "consumer": "tickets-orders",
    "stream": "ORDERS",
    "sequence": 7,
    "subject": "order.created.0123456789abcdef01234567",
    "headers": {},
    "body": "{}",
    "error": "ValueError: no",
    "stack": "",
    "attempts": 10,
    "at": "2026-01-01T00:00:00Z",
}
ADVISORY = {
    "type": "io.nats.jetstream.advisory.v1.max_deliver",
    "stream": "ORDERS",
    "consumer": "tickets-orders",
    "stream_seq": 3,
    "deliveries": 1000,
    "timestamp": "2026-01-01T00:00:00Z",
}


async def a_dead_letter(js: JetStreamContext) -> object:
    return await js.publish("dead_letters.tickets-orders", json.dumps(LETTER).encode())


async def an_advisory(js: JetStreamContext, **fields: object) -> object:
    subject = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.ORDERS.tickets-orders"
    await js._nc.publish(subject, json.dumps({**ADVISORY, **fields}).encode())
    while not (await js.stream_info("ADVISORIES")).state.messages:  # noqa: ASYNC110 (only the stream tells)
        await asyncio.sleep(0.01)
    return None


async def a_lost_consumer(js: JetStreamContext) -> object:
    return await js.delete_consumer("ORDERS", "expiration-orders")


async def a_lost_stream(js: JetStreamContext) -> object:
    return await js.delete_stream("EXPIRATIONS")


async def an_event_that_nobody_takes(js: JetStreamContext) -> object:
    return await js.publish("ticket.created.0123456789abcdef01234567", b"{}")


BUS_BREAKS: list[tuple[str, BreakBus]] = [
    ("dead_letter", a_dead_letter),
    ("deliveries_exhausted", an_advisory),
    ("consumer_missing", a_lost_consumer),
    ("consumer_missing", a_lost_stream),
    ("consumer_stuck", an_event_that_nobody_takes),
]


async def named(world: World, **options: float) -> list[str]:
    """Which invariants an audit without any grace names."""
    return [violation.invariant for violation in await audit(world.addresses, **{"grace_seconds": 0.0, **options})]


async def on_bus(world: World, act: BreakBus) -> None:
    client = await nats.connect(world.addresses.nats_url)
    await act(client.jetstream())
    await client.close()


def test_every_invariant_is_broken_here() -> None:
    assert {name for name, _ in BREAKS} | {name for name, _ in BUS_BREAKS} == INVARIANTS.keys()


async def test_a_marketplace_where_all_is_well_has_no_violation(world: World) -> None:
    assert await audit(world.addresses, grace_seconds=0.0) == []
    assert await audit(world.addresses, grace_seconds=0.0, stripe_all=True) == []


@pytest.mark.parametrize(("invariant", "make"), BREAKS, ids=lambda value: getattr(value, "__name__", None))
async def test_what_is_broken_is_named_and_nothing_else(world: World, invariant: str, make: Break) -> None:
    make(world)
    assert await named(world) == [invariant]


@pytest.mark.parametrize(("invariant", "make"), BUS_BREAKS, ids=lambda value: getattr(value, "__name__", None))
async def test_what_is_broken_on_the_bus_is_named(world: World, invariant: str, make: BreakBus) -> None:
    await on_bus(world, make)
    assert await named(world) == [invariant]


async def test_an_event_that_its_consumer_has_buried_is_told_of_once(world: World) -> None:
    async def buried(js: JetStreamContext) -> object:
        await a_dead_letter(js)
        kind = "io.nats.jetstream.advisory.v1.terminated"
        return await an_advisory(js, type=kind, reason="copied to the dead letters")

    await on_bus(world, buried)
    assert await named(world) == ["dead_letter"]


async def test_a_violation_says_where_and_what_repairs_it(world: World) -> None:
    hold_overdue(world)
    (violation,) = await audit(world.addresses)
    assert violation.ids == {"order": world.held_order, "ticket": world.held}
    assert violation.repair == INVARIANTS["hold_overdue"].repair
    assert "due" in violation.detail


@pytest.mark.parametrize(
    "make",
    [
        held_for_a_cancelled_order,
        an_order_whose_ticket_is_free,
        complete_without_payment,
        complete_not_captured,
        captured_for_a_cancelled_order,
        authorized_for_a_cancelled_order,
        an_intent_of_a_lost_payment,
        tickets_has_not_heard_of_an_order,
        orders_has_an_old_ticket,
        a_deadline_is_missing,
        outbox_stuck,
    ],
    ids=lambda make: make.__name__,
)
async def test_what_changed_just_now_may_still_be_on_its_way(world: World, make: Break) -> None:
    make(world)
    now = utc_now()
    for service, name in (("orders", "orders"), ("tickets", "tickets"), ("payments", "payments")):
        places = {"updated_at": now}
        world.collection(service, name).update_many({}, {"$set": places})
    world.collection("orders", "orders").update_many({"outbox.0": {"$exists": True}}, {"$set": {"outbox.0.at": now}})
    assert await named(world, grace_seconds=60.0) == []


@pytest.mark.parametrize("make", [refunded_behind_our_back, disputed_behind_our_back], ids=lambda make: make.__name__)
async def test_what_was_done_at_stripe_just_now_is_not_heard_of_yet(world: World, make: Break) -> None:
    make(world)
    assert await named(world, grace_seconds=10.0) == []


async def test_money_that_went_back_of_an_old_payment_is_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its PaymentIntent is not among those of the last day; the refund and the dispute are."""

    async def nothing_recent(_stripe: Stripe, now: datetime) -> Intents:
        return Intents([], since=now)

    monkeypatch.setattr(Stripe, "recent", nothing_recent)
    assert await named(world) == []
    refunded_behind_our_back(world)
    assert await named(world) == ["payment_disagrees_with_stripe"]


async def test_a_document_that_cannot_be_read_hides_nothing_else(world: World) -> None:
    a_ticket_without_a_version(world)
    hold_overdue(world)
    assert sorted(await named(world)) == ["document_unreadable", "hold_overdue"]


async def test_an_event_that_came_just_now_may_still_be_handled(world: World) -> None:
    await on_bus(world, an_event_that_nobody_takes)
    assert await named(world, grace_seconds=60.0) == []


@pytest.mark.parametrize("mended", [True, False], ids=["caught up", "behind again at another version"])
async def test_what_has_moved_on_by_the_second_look_is_not_reported(
    world: World, monkeypatch: pytest.MonkeyPatch, mended: bool
) -> None:
    orders_has_an_old_ticket(world)
    look, suspected = examination._look, []

    async def look_then_move(*arguments: object) -> object:
        found = await look(*arguments)  # type: ignore[arg-type]
        suspected.append([finding.invariant for finding in found.findings.values()])
        world.change("orders", "tickets", world.let_go, version=3 if mended else 4)
        if not mended:
            world.change("tickets", "tickets", world.let_go, version=5)
        return found

    monkeypatch.setattr(examination, "_look", look_then_move)
    assert await named(world) == []
    assert suspected == [["projection_behind"], [] if mended else ["projection_behind"]]
