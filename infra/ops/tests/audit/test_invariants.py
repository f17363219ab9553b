"""Each test violates one invariant by hand in a consistent marketplace; the audit reports exactly that one."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import nats
import pytest
from nats.js import JetStreamContext

from ticketing_common.entity import new_id, utc_now
from ticketing_ops.audit import INVARIANTS, audit, examination
from ticketing_ops.audit.stripe_intents import Intents, Stripe

from .marketplace import PRICE, Marketplace

Break = Callable[[Marketplace], None]
BreakBus = Callable[[JetStreamContext], Awaitable[object]]


def seat_taken_twice(marketplace: Marketplace) -> None:
    marketplace.order("created", marketplace.held)


def seat_taken_twice_among_others(marketplace: Marketplace) -> None:
    marketplace.change("orders", "orders", marketplace.order_of_two, seats=[7, 2])


def more_seats_than_the_listing_has(marketplace: Marketplace) -> None:
    marketplace.change("tickets", "tickets", marketplace.many, quantity=2)
    marketplace.change("orders", "tickets", marketplace.many, quantity=2)


def a_seat_with_a_number_that_there_is_not(marketplace: Marketplace) -> None:
    marketplace.change("tickets", "tickets", marketplace.many, highest_seat=6)


def seats_miscounted(marketplace: Marketplace) -> None:
    marketplace.change("tickets", "tickets", marketplace.many, held=1)


def a_copy_with_other_seats(marketplace: Marketplace) -> None:
    marketplace.change("payments", "orders", marketplace.order_of_two, seats=[2])


def seats_of_a_listing_that_is_lost(marketplace: Marketplace) -> None:
    lost = new_id()
    for seat in (1, 2):
        marketplace.order("created", lost, seats=[seat])


def hold_overdue(marketplace: Marketplace) -> None:
    past = utc_now() - timedelta(minutes=1)
    marketplace.change("orders", "orders", marketplace.held_order, expires_at=past)
    marketplace.change("expiration", "deadlines", marketplace.held_order, expires_at=past)


def held_for_a_cancelled_order(marketplace: Marketplace) -> None:
    marketplace.ticket("held", marketplace.cancelled_order, key=marketplace.free_ticket)


def sold_for_an_order_that_does_not_exist(marketplace: Marketplace) -> None:
    marketplace.ticket("sold", new_id(), key=marketplace.free_ticket)


def an_order_whose_ticket_is_free(marketplace: Marketplace) -> None:
    marketplace.ticket("available", None, key=marketplace.held)


def an_order_whose_ticket_is_only_held(marketplace: Marketplace) -> None:
    marketplace.ticket("held", marketplace.paid_order, key=marketplace.sold)


def an_order_whose_ticket_is_lost(marketplace: Marketplace) -> None:
    marketplace.order("created", new_id())


def complete_without_payment(marketplace: Marketplace) -> None:
    marketplace.order(
        "complete", marketplace.ticket("available", None, key=marketplace.held), key=marketplace.held_order
    )
    marketplace.ticket("sold", marketplace.held_order, key=marketplace.held)


def complete_by_another_orders_payment(marketplace: Marketplace) -> None:
    marketplace.order("complete", marketplace.held, key=marketplace.held_order, payment=marketplace.payment)
    marketplace.ticket("sold", marketplace.held_order, key=marketplace.held)


def paid_other_price(marketplace: Marketplace) -> None:
    for service in ("orders", "tickets", "payments"):
        marketplace.change(service, "orders", marketplace.paid_order, **{"ticket.price_cents": PRICE + 1})


def paid_in_another_currency(marketplace: Marketplace) -> None:
    marketplace.change("orders", "orders", marketplace.paid_order, **{"ticket.currency": "eur"})


def complete_not_captured(marketplace: Marketplace) -> None:
    payment = new_id()
    intent = marketplace.authorized_intent(marketplace.held_order, payment)
    marketplace.pay(marketplace.held_order, "authorized", intent, key=payment)
    marketplace.order("complete", marketplace.held, key=marketplace.held_order, payment=payment)
    marketplace.ticket("sold", marketplace.held_order, key=marketplace.held)


def captured_for_a_cancelled_order(marketplace: Marketplace) -> None:
    payment = new_id()
    intent = marketplace.captured_intent(marketplace.cancelled_order, payment)
    marketplace.pay(marketplace.cancelled_order, "captured", intent, key=payment, attempt=2)


def captured_in_stripe_for_a_voided_payment(marketplace: Marketplace) -> None:
    intent = marketplace.captured_intent(marketplace.cancelled_order, marketplace.voided)
    marketplace.change("payments", "payments", marketplace.voided, stripe_id=intent)


def captured_while_the_order_is_unpaid(marketplace: Marketplace) -> None:
    payment = new_id()
    marketplace.pay(
        marketplace.held_order, "captured", marketplace.captured_intent(marketplace.held_order, payment), key=payment
    )


def authorized_for_a_cancelled_order(marketplace: Marketplace) -> None:
    payment = new_id()
    intent = marketplace.authorized_intent(marketplace.cancelled_order, payment)
    marketplace.pay(marketplace.cancelled_order, "authorized", intent, key=payment, attempt=2)


def authorized_in_stripe_for_a_voided_payment(marketplace: Marketplace) -> None:
    intent = marketplace.authorized_intent(marketplace.cancelled_order, marketplace.voided)
    marketplace.change("payments", "payments", marketplace.voided, stripe_id=intent)


def charged_twice_by_two_payments(marketplace: Marketplace) -> None:
    payment = new_id()
    marketplace.pay(
        marketplace.paid_order,
        "voided",
        marketplace.captured_intent(marketplace.paid_order, payment),
        key=payment,
        attempt=2,
    )


def charged_twice_by_one_payment(marketplace: Marketplace) -> None:
    marketplace.captured_intent(marketplace.paid_order, marketplace.payment)


def an_intent_of_a_lost_payment(marketplace: Marketplace) -> None:
    marketplace.authorized_intent(marketplace.held_order, new_id())


def an_intent_of_a_lost_order(marketplace: Marketplace) -> None:
    marketplace.captured_intent(new_id(), new_id())


def an_intent_beside_the_one_that_the_row_names(marketplace: Marketplace) -> None:
    marketplace.authorized_intent(marketplace.paid_order, marketplace.payment)


def refunded_without_us(marketplace: Marketplace) -> None:
    marketplace.stripe("refunds", payment_intent=marketplace.intent)


def refunded_in_full(marketplace: Marketplace) -> None:
    marketplace.stripe("refunds", payment_intent=marketplace.intent)
    marketplace.pay(
        marketplace.paid_order, "refunded", marketplace.intent, key=marketplace.payment, refunded_cents=PRICE
    )


def a_dispute_that_was_lost(marketplace: Marketplace) -> None:
    marketplace.dispute(marketplace.intent, status="lost")
    marketplace.pay(
        marketplace.paid_order, "refunded", marketplace.intent, key=marketplace.payment, refunded_cents=PRICE
    )


def refunded_in_part(marketplace: Marketplace) -> None:
    marketplace.stripe("refunds", payment_intent=marketplace.intent, amount=50)
    marketplace.change("payments", "payments", marketplace.payment, refunded_cents=50)


def a_dispute_that_is_open(marketplace: Marketplace) -> None:
    marketplace.dispute(marketplace.intent)
    marketplace.change("payments", "payments", marketplace.payment, disputed=True)


def disputed_without_us(marketplace: Marketplace) -> None:
    marketplace.dispute(marketplace.intent)


def refunded_in_part_without_us(marketplace: Marketplace) -> None:
    marketplace.stripe("refunds", payment_intent=marketplace.intent, amount=50)


def a_refund_that_failed_of_a_complete_order(marketplace: Marketplace) -> None:
    marketplace.pay(marketplace.paid_order, "refunded", marketplace.intent, key=marketplace.payment, refunded_cents=0)


def a_refund_that_failed_of_a_cancelled_order(marketplace: Marketplace) -> None:
    payment = new_id()
    intent = marketplace.captured_intent(marketplace.cancelled_order, payment)
    marketplace.pay(marketplace.cancelled_order, "refunded", intent, key=payment, attempt=2, refunded_cents=0)


def authorized_here_and_captured_there(marketplace: Marketplace) -> None:
    marketplace.pay(marketplace.paid_order, "authorized", marketplace.intent, key=marketplace.payment)


def authorized_there_and_not_reconciled(marketplace: Marketplace) -> None:
    payment = new_id()
    marketplace.pay(
        marketplace.held_order, "initiated", marketplace.authorized_intent(marketplace.held_order, payment), key=payment
    )


def another_amount_in_stripe(marketplace: Marketplace) -> None:
    intent = marketplace.captured_intent(marketplace.cancelled_order, marketplace.voided, PRICE - 1)
    marketplace.stripe("refunds", payment_intent=intent)
    marketplace.change("payments", "payments", marketplace.voided, stripe_id=intent)


def unknown_to_stripe(marketplace: Marketplace) -> None:
    marketplace.pay(marketplace.held_order, "requires_action", "pi_lost")
    marketplace.collection("payments", "payments").update_one(
        {"stripe_id": "pi_lost"}, {"$set": {"created_at": utc_now()}}
    )


def tickets_lacks_an_order(marketplace: Marketplace) -> None:
    marketplace.remove("tickets", "orders", marketplace.cancelled_order)


def payments_is_a_version_behind(marketplace: Marketplace) -> None:
    marketplace.change("payments", "orders", marketplace.cancelled_order, version=1, status="created")


def orders_has_an_old_ticket(marketplace: Marketplace) -> None:
    marketplace.change("orders", "tickets", marketplace.free_ticket, version=2)


def orders_lacks_a_failure(marketplace: Marketplace) -> None:
    marketplace.remove("orders", "payments", marketplace.pay(marketplace.held_order, "failed", None))


def a_deadline_is_missing(marketplace: Marketplace) -> None:
    marketplace.remove("expiration", "deadlines", marketplace.held_order)


def a_deadline_of_a_cancelled_order_still_runs(marketplace: Marketplace) -> None:
    marketplace.change("expiration", "deadlines", marketplace.cancelled_order, status="pending")


def tickets_knows_an_order_that_does_not_exist(marketplace: Marketplace) -> None:
    marketplace.put("tickets", "orders", new_id(), version=1, status="cancelled", ticket={"price_cents": PRICE})


def orders_is_ahead_of_a_ticket(marketplace: Marketplace) -> None:
    marketplace.change("orders", "tickets", marketplace.free_ticket, version=9)


def orders_knows_a_payment_that_does_not_exist(marketplace: Marketplace) -> None:
    marketplace.put("orders", "payments", new_id(), version=3, status="failed", amount_cents=PRICE)


def a_deadline_is_off_too_early(marketplace: Marketplace) -> None:
    marketplace.change("expiration", "deadlines", marketplace.held_order, status="off")


def a_copy_that_differs(marketplace: Marketplace) -> None:
    marketplace.change("payments", "orders", marketplace.cancelled_order, status="created")


def a_deadline_that_differs(marketplace: Marketplace) -> None:
    marketplace.change("expiration", "deadlines", marketplace.held_order, expires_at=utc_now() + timedelta(days=1))


def a_ticket_without_a_version(marketplace: Marketplace) -> None:
    marketplace.collection("tickets", "tickets").update_one({"_id": marketplace.sold}, {"$unset": {"version": ""}})


def a_payment_without_an_amount(marketplace: Marketplace) -> None:
    marketplace.collection("payments", "payments").update_one(
        {"_id": marketplace.payment}, {"$unset": {"amount_cents": ""}}
    )


def an_order_whose_ticket_is_no_document(marketplace: Marketplace) -> None:
    marketplace.change("orders", "orders", marketplace.paid_order, ticket="none")


def deleted(marketplace: Marketplace, user: str, **fields: object) -> None:
    tombstone = {"email": f"deleted:{user}", "password_hash": "", "deleted_at": marketplace.long_ago, "outbox": []}
    marketplace.put("auth", "users", user, version=2, **{**tombstone, **fields})


def deleted_account_remains(marketplace: Marketplace) -> None:
    deleted(marketplace, marketplace.buyer, email="still@example.com")


def listing_of_deleted_account(marketplace: Marketplace) -> None:
    deleted(marketplace, user := new_id())
    for begun in (utc_now() + timedelta(days=1), utc_now() - timedelta(days=1)):  # the second is not on sale any more
        marketplace.ticket("available", None, user_id=user, starts_at=begun)


def owner_unknown(marketplace: Marketplace) -> None:
    marketplace.remove("auth", "users", marketplace.seller)


def outbox_stuck(marketplace: Marketplace) -> None:
    entry = {
        "id": new_id(),
        "subject": f"order.cancelled.{marketplace.cancelled_order}",
        "body": "{}",
        "at": marketplace.long_ago,
    }
    marketplace.change("orders", "orders", marketplace.cancelled_order, outbox=[entry])


def a_mail(marketplace: Marketplace, state: str, *, hours: float, **times: datetime) -> None:
    at = utc_now() + timedelta(hours=hours)
    fields = {"kind": "refunded", "user_id": marketplace.buyer, "attempts": 3, "give_up_at": at, **times}
    marketplace.put("auth", "mails", f"refunded:{new_id()}", state=state, **fields)


def mail_overdue(marketplace: Marketplace) -> None:
    a_mail(marketplace, "queued", hours=-1)
    a_mail(marketplace, "queued", hours=1)  # it may still be delivered
    a_mail(marketplace, "sent", hours=-1)


def mail_given_up(marketplace: Marketplace) -> None:
    a_mail(marketplace, "given_up", hours=-1, ended_at=utc_now() - timedelta(hours=1))
    a_mail(marketplace, "given_up", hours=-48, ended_at=utc_now() - timedelta(hours=48))  # reported in its time


def outbox_parked(marketplace: Marketplace) -> None:
    entry = {
        "id": new_id(),
        "subject": f"ticket.updated.{marketplace.free_ticket}",
        "body": "{}",
        "at": marketplace.long_ago,
    }
    marketplace.change("tickets", "tickets", marketplace.free_ticket, outbox_parked=[{**entry, "error": "too large"}])


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
    ("ticket_without_order", sold_for_an_order_that_does_not_exist),
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
    ("payment_disagrees_with_stripe", disputed_without_us),
    ("payment_disagrees_with_stripe", refunded_in_part_without_us),
    ("payment_disagrees_with_stripe", refunded_without_us),
    ("payment_disagrees_with_stripe", authorized_here_and_captured_there),
    ("payment_disagrees_with_stripe", authorized_there_and_not_reconciled),
    ("payment_disagrees_with_stripe", another_amount_in_stripe),
    ("payment_disagrees_with_stripe", unknown_to_stripe),
    ("projection_behind", tickets_lacks_an_order),
    ("projection_behind", payments_is_a_version_behind),
    ("projection_behind", orders_has_an_old_ticket),
    ("projection_behind", orders_lacks_a_failure),
    ("projection_behind", a_deadline_is_missing),
    ("projection_behind", a_deadline_of_a_cancelled_order_still_runs),
    ("projection_ahead", tickets_knows_an_order_that_does_not_exist),
    ("projection_ahead", orders_is_ahead_of_a_ticket),
    ("projection_ahead", orders_knows_a_payment_that_does_not_exist),
    ("projection_ahead", a_deadline_is_off_too_early),
    ("projection_differs", a_copy_that_differs),
    ("projection_differs", a_deadline_that_differs),
    ("document_unreadable", a_ticket_without_a_version),
    ("document_unreadable", a_payment_without_an_amount),
    ("document_unreadable", an_order_whose_ticket_is_no_document),
    ("owner_unknown", owner_unknown),
    ("deleted_account_remains", deleted_account_remains),
    ("listing_of_deleted_account", listing_of_deleted_account),
    ("outbox_stuck", outbox_stuck),
    ("outbox_parked", outbox_parked),
    ("mail_overdue", mail_overdue),
    ("mail_given_up", mail_given_up),
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
    while not (await js.stream_info("ADVISORIES")).state.messages:  # noqa: ASYNC110 (the stream has no signal for it)
        await asyncio.sleep(0.01)
    return None


async def a_lost_consumer(js: JetStreamContext) -> object:
    return await js.delete_consumer("ORDERS", "expiration-orders")


async def a_lost_stream(js: JetStreamContext) -> object:
    return await js.delete_stream("EXPIRATIONS")


async def an_event_without_acknowledgement(js: JetStreamContext) -> object:
    return await js.publish("ticket.created.0123456789abcdef01234567", b"{}")


BUS_BREAKS: list[tuple[str, BreakBus]] = [
    ("dead_letter", a_dead_letter),
    ("deliveries_exhausted", an_advisory),
    ("consumer_missing", a_lost_consumer),
    ("consumer_missing", a_lost_stream),
    ("consumer_stuck", an_event_without_acknowledgement),
]


async def named(marketplace: Marketplace, **options: float) -> list[str]:
    """The invariants that an audit without grace reports."""
    return [
        violation.invariant for violation in await audit(marketplace.addresses, **{"grace_seconds": 0.0, **options})
    ]


async def on_bus(marketplace: Marketplace, act: BreakBus) -> None:
    client = await nats.connect(marketplace.addresses.nats_url)
    await act(client.jetstream())
    await client.close()


def test_every_invariant_is_broken_here() -> None:
    assert {name for name, _ in BREAKS} | {name for name, _ in BUS_BREAKS} == INVARIANTS.keys()


async def test_a_consistent_marketplace_has_no_violation(marketplace: Marketplace) -> None:
    assert await audit(marketplace.addresses, grace_seconds=0.0) == []
    assert await audit(marketplace.addresses, grace_seconds=0.0, stripe_all=True) == []


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
        await a_dead_letter(js)
        kind = "io.nats.jetstream.advisory.v1.terminated"
        return await an_advisory(js, type=kind, reason="copied to the dead letters")

    await on_bus(marketplace, stored_as_dead_letter)
    assert await named(marketplace) == ["dead_letter"]


async def test_a_violation_says_where_and_what_repairs_it(marketplace: Marketplace) -> None:
    hold_overdue(marketplace)
    (violation,) = await audit(marketplace.addresses)
    assert violation.ids == {"order": marketplace.held_order, "ticket": marketplace.held}
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
        tickets_lacks_an_order,
        orders_has_an_old_ticket,
        a_deadline_is_missing,
        outbox_stuck,
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


@pytest.mark.parametrize("make", [refunded_without_us, disputed_without_us], ids=lambda make: make.__name__)
async def test_a_recent_change_at_stripe_is_not_reported_yet(marketplace: Marketplace, make: Break) -> None:
    make(marketplace)
    assert await named(marketplace, grace_seconds=10.0) == []


async def test_a_refund_of_an_old_payment_is_found(marketplace: Marketplace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The PaymentIntent is older than a day; the refund and the dispute are recent."""

    async def nothing_recent(_stripe: Stripe, now: datetime) -> Intents:
        return Intents([], since=now)

    monkeypatch.setattr(Stripe, "recent", nothing_recent)
    assert await named(marketplace) == []
    refunded_without_us(marketplace)
    assert await named(marketplace) == ["payment_disagrees_with_stripe"]


async def test_a_document_that_cannot_be_read_hides_nothing_else(marketplace: Marketplace) -> None:
    a_ticket_without_a_version(marketplace)
    hold_overdue(marketplace)
    assert sorted(await named(marketplace)) == ["document_unreadable", "hold_overdue"]


async def test_an_event_that_came_just_now_may_still_be_handled(marketplace: Marketplace) -> None:
    await on_bus(marketplace, an_event_without_acknowledgement)
    assert await named(marketplace, grace_seconds=60.0) == []


@pytest.mark.parametrize("repaired", [True, False], ids=["current again", "behind at another version"])
async def test_a_state_that_changed_before_the_second_reading_is_not_reported(
    marketplace: Marketplace, monkeypatch: pytest.MonkeyPatch, repaired: bool
) -> None:
    orders_has_an_old_ticket(marketplace)
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
