import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ticketing_common.entity import new_id, utc_now
from ticketing_common.errors import ConcurrentUpdateError, NotFoundError
from ticketing_common.events import Event, OrderData, PaymentStatus
from ticketing_common.storage import Collection, DuplicateKeyError, Repository
from ticketing_payments.domain import ACTIVE_STATUSES, Intent, IntentState, Payment, StripeEvent
from ticketing_payments.errors import PaymentActiveError
from ticketing_payments.publishers import PUBLISHERS
from ticketing_payments.repository import EPOCH, PaymentRepository

from .scenario import Stores, make_order

PAYMENT_AUTHORIZED = PUBLISHERS[PaymentStatus.AUTHORIZED]


@pytest.fixture
def payments(stores: Stores) -> PaymentRepository:
    return stores.payments


def attempt(order: OrderData, number: int = 1, status: PaymentStatus = PaymentStatus.INITIATED) -> Payment:
    return replace(Payment.begin(order, attempt=number, payment_method_id="pm_1"), status=status)


async def plan_of(collection: Collection, query: dict[str, object], **options: Any) -> str:
    """The index that a query uses. Raises `KeyError` if it reads the whole collection."""
    cursor = collection.find(query, **options)
    stage = (await cursor.explain())["queryPlanner"]["winningPlan"]
    while "indexName" not in stage:
        stage = stage["inputStage"]
    return str(stage["indexName"])


async def test_what_is_stored_is_what_is_read(payments: PaymentRepository) -> None:
    payment = attempt(make_order())
    payment.follow(Intent("pi_1", IntentState.NEEDS_BUYER, "secret"))
    await payments.add(payment)
    assert await payments.get(payment.id) == payment
    with pytest.raises(NotFoundError):
        await payments.get(new_id())


@pytest.mark.parametrize("status", ACTIVE_STATUSES)
async def test_an_order_has_one_active_payment(payments: PaymentRepository, status: PaymentStatus) -> None:
    order = make_order()
    await payments.add(attempt(order, 1, status))
    with pytest.raises(PaymentActiveError):
        await payments.add(attempt(order, 2))
    active = await payments.find_active(order.id)
    assert active is not None
    assert active.attempt == 1


async def test_after_an_attempt_that_is_over_comes_the_next(payments: PaymentRepository) -> None:
    order = make_order()
    for number, status in ((1, PaymentStatus.FAILED), (2, PaymentStatus.VOIDED)):
        await payments.add(attempt(order, number, status))
    assert await payments.find_active(order.id) is None
    await payments.add(attempt(order, 3))
    latest = await payments.find_latest(order.id)
    assert latest is not None
    assert latest.attempt == 3
    with pytest.raises(PaymentActiveError):  # a number is used once
        await payments.add(attempt(order, 2, PaymentStatus.FAILED))


async def test_of_concurrent_attempts_one_is_stored_and_without_the_index_all_are(payments: PaymentRepository) -> None:
    async def race() -> int:
        order = make_order()
        attempts = [attempt(order, number) for number in range(1, 21)]
        outcomes = await asyncio.gather(*(payments.add(one) for one in attempts), return_exceptions=True)
        return sum(outcome is None for outcome in outcomes)

    assert await race() == 1
    await payments.collection.drop_index("one_active_payment_per_order")
    assert await race() == 20, "negative control: the index decides"


async def test_a_change_is_retried_on_top_of_a_faster_one(
    payments: PaymentRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = attempt(make_order())
    await payments.add(payment)
    calls: list[int] = []

    async def interfere() -> None:
        await payments.collection.update_one({"_id": payment.id}, {"$inc": {"version": 1}})

    original = Repository.save

    async def slow_save(self: PaymentRepository, entity: Payment, *publishers: Callable[[Payment], Event]) -> None:
        if not calls:
            await interfere()
        calls.append(entity.version)
        await original(self, entity, *publishers)

    monkeypatch.setattr(payments, "save", slow_save.__get__(payments))
    _, changed = await payments.change(
        payment,
        lambda one: one.follow(Intent("pi_1", IntentState.AUTHORIZED)),
        lambda *_: PAYMENT_AUTHORIZED,
    )
    assert changed.status is PaymentStatus.AUTHORIZED
    assert len(calls) == 2
    document = await payments.collection.find_one({"_id": payment.id})
    assert document is not None
    assert len(document["outbox"]) == 1


async def test_a_change_that_always_loses_is_given_up(
    payments: PaymentRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = attempt(make_order())
    await payments.add(payment)

    async def lose(*_: object) -> None:
        raise ConcurrentUpdateError

    monkeypatch.setattr(payments, "save", lose)
    with pytest.raises(ConcurrentUpdateError):
        await payments.change(payment, lambda one: one.abandon(), lambda *_: None)


async def test_a_change_without_a_publisher_is_stored_without_an_event(payments: PaymentRepository) -> None:
    payment = attempt(make_order())
    await payments.add(payment)
    await payments.change(payment, lambda one: one.follow(Intent("pi_1", IntentState.UNCONFIRMED)), lambda *_: None)
    document = await payments.collection.find_one({"_id": payment.id})
    assert document is not None
    assert (document["stripe_id"], document["version"], document["outbox"]) == ("pi_1", 2, [])
    await payments.change(payment, lambda _: False, lambda *_: PAYMENT_AUTHORIZED)
    assert (await payments.get(payment.id)).version == 2


async def test_due_payments_are_listed_in_order_and_settled_ones_are_not(payments: PaymentRepository) -> None:
    now = utc_now()
    for seconds in (-5, -60, 60, None):
        payment = attempt(make_order())
        payment.check_at = None if seconds is None else now + timedelta(seconds=seconds)
        await payments.add(payment)
    due = await payments.list_to_check(now, limit=10)
    assert [payment.check_at and (payment.check_at - now).total_seconds() for payment in due] == [-60, -5]
    assert len(await payments.list_to_check(now, limit=1)) == 1
    await payments.settle(due[0])
    assert len(await payments.list_to_check(now, limit=10)) == 1
    assert (await payments.get(due[0].id)).version == due[0].version


async def test_a_resync_covers_the_published_payments(payments: PaymentRepository) -> None:
    for status in PaymentStatus:
        await payments.add(attempt(make_order(), 1, status))
    walked = {payment.status async for payment in payments.walk()}
    assert walked == set(PaymentStatus) - {PaymentStatus.INITIATED, PaymentStatus.REQUIRES_ACTION}


async def test_every_query_has_its_index(payments: PaymentRepository, stores: Stores) -> None:
    collection, now = payments.collection, utc_now()
    statuses = [status.value for status in ACTIVE_STATUSES]
    assert await plan_of(collection, {"order_id": "x"}, sort=[("attempt", -1)]) == "attempts_of_an_order"
    active = await plan_of(collection, {"order_id": "x", "status": {"$in": statuses}})
    assert active in ("one_active_payment_per_order", "attempts_of_an_order")
    assert (
        await plan_of(collection, {"check_at": {"$gt": EPOCH, "$lte": now}}, sort=[("check_at", 1)]) == "to_be_checked"
    )
    assert await plan_of(collection, {"stripe_id": "pi_1"}) == "by_intent"
    secrets = {"client_secret": {"$gt": ""}, "status": {"$in": ["captured", "voided", "failed", "refunded"]}}
    assert await plan_of(collection, secrets) == "with_secret"
    inbox = stores.inbox.collection
    assert await plan_of(inbox, {"applied": False, "due_at": {"$not": {"$gt": now}}}, sort=[("due_at", 1)]) == (
        "unapplied_due"
    )


async def test_the_wait_for_an_order_ends(stores: Stores) -> None:
    order = make_order()
    waiting = asyncio.create_task(stores.orders.wait_for(order.id, seconds=30))
    await asyncio.sleep(0)
    await stores.orders.apply(order)
    assert await waiting == order
    assert await stores.orders.wait_for(new_id(), seconds=0.05) is None


async def test_a_webhook_is_kept_once(stores: Stores) -> None:
    event, begun = StripeEvent("evt_1", "refund.created", intent_id="pi_1", charge_id="ch_1"), utc_now()
    assert [await stores.inbox.add(event), await stores.inbox.add(event)] == [True, False]
    assert await stores.inbox.list_unapplied(begun, limit=10) == []
    assert await stores.inbox.list_unapplied(utc_now() + timedelta(seconds=6), limit=10) == [event]
    await stores.inbox.mark_applied(event.id)
    assert await stores.inbox.list_unapplied(utc_now() + timedelta(seconds=6), limit=10) == []
    indexes = await stores.inbox.collection.index_information()
    assert indexes["forget"]["expireAfterSeconds"] > 3 * 24 * 3600, "longer than Stripe repeats one"


async def test_a_refund_that_an_earlier_release_stored_and_ignored_is_stored_again(stores: Stores) -> None:
    old = {"type": "refund.created", "payment_id": None, "received_at": utc_now(), "applied": True}
    await stores.inbox.collection.insert_one({"_id": "evt_old", **old})
    event = StripeEvent("evt_old", "refund.created", intent_id="pi_1")
    assert [await stores.inbox.add(event), await stores.inbox.add(event)] == [True, False]
    assert await stores.inbox.list_unapplied(utc_now() + timedelta(seconds=6), limit=10) == [event]


async def test_an_event_of_an_earlier_release_that_waits_is_due_and_its_names_are_checked(stores: Stores) -> None:
    old = {"type": "payment_intent.succeeded", "received_at": utc_now(), "applied": False}
    await stores.inbox.collection.insert_one({"_id": "evt_old", **old, "payment_id": {"$gt": ""}})
    assert await stores.inbox.list_unapplied(utc_now(), limit=10) == [
        StripeEvent("evt_old", "payment_intent.succeeded")
    ]


async def test_the_delay_of_a_failing_event_grows(stores: Stores) -> None:
    await stores.inbox.add(StripeEvent("evt_1", "refund.created"))
    waits = []
    for _ in range(12):
        before = utc_now()
        await stores.inbox.retry_later("evt_1")
        after = utc_now()
        found = await stores.inbox.collection.find_one({"_id": "evt_1"})
        assert found is not None
        waits.append((found["due_at"] - after, found["due_at"] - before))
    for (least, most), seconds in zip([*waits[:3], waits[-1]], (5, 10, 20, 3_600), strict=True):
        assert least <= timedelta(seconds=seconds) <= most
    await stores.inbox.mark_applied("evt_1")
    await stores.inbox.retry_later("evt_1")
    found = await stores.inbox.collection.find_one({"_id": "evt_1"})
    assert found is not None
    assert found["tries"] == 12


async def test_the_cursor_never_goes_back(stores: Stores) -> None:
    assert await stores.inbox.read_until() is None
    for created in (5, 9, 7):
        await stores.inbox.move_cursor(created)
    assert await stores.inbox.read_until() == 9
    assert await stores.inbox.list_unapplied(utc_now() + timedelta(days=1), limit=10) == [], (
        "the cursor is not an event"
    )


async def test_an_unreadable_payment_delays_no_other(payments: PaymentRepository) -> None:
    now = utc_now()
    for seconds in (-60, -5):
        payment = attempt(make_order())
        payment.check_at = now + timedelta(seconds=seconds)
        await payments.add(payment)
    await payments.collection.update_one({"check_at": now - timedelta(seconds=60)}, {"$set": {"status": "unheard of"}})
    assert [found.id for found in await payments.list_to_check(now, limit=10)] == [payment.id]
    assert [found.id for found in await payments.list_to_check(now, limit=1)] == [payment.id], (
        "the unreadable one is postponed"
    )


async def test_a_document_of_an_earlier_release_is_neither_refunded_nor_disputed(payments: PaymentRepository) -> None:
    payment = attempt(make_order(), 1, PaymentStatus.CAPTURED)
    await payments.add(payment)
    await payments.collection.update_one({"_id": payment.id}, {"$unset": {"refunded_cents": "", "disputed": ""}})
    found = await payments.get(payment.id)
    assert (found.refunded_cents, found.disputed) == (0, False)


async def test_secrets_that_an_earlier_release_left_are_forgotten(payments: PaymentRepository) -> None:
    for status in PaymentStatus:
        await payments.add(replace(attempt(make_order(), 1, status), client_secret="pi_1_secret"))
    assert await payments.forget_secrets() == len(PaymentStatus) - 2
    left = await payments.collection.distinct("status", {"client_secret": {"$ne": None}})
    assert set(left) == {PaymentStatus.INITIATED, PaymentStatus.REQUIRES_ACTION}
    assert await payments.forget_secrets() == 0


async def test_creating_the_indexes_is_idempotent(stores: Stores) -> None:
    for store in (stores.payments, stores.inbox):
        await store.ensure_indexes()


async def test_the_database_itself_refuses_a_second_active_payment(payments: PaymentRepository) -> None:
    order = make_order()
    await payments.add(attempt(order))
    document = payments.to_document(attempt(order, 2))
    with pytest.raises(DuplicateKeyError):
        await payments.collection.insert_one(document)
