"""Old orders lose their people and nothing else: the seats, the money and the copies elsewhere stay as they are."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import OrderStatus, PaymentData, TicketData
from ticketing_common.storage import Database, Document
from ticketing_orders.domain import Order
from ticketing_orders.errors import OrderForbiddenError, SeatTakenError
from ticketing_orders.publishers import order_cancelled, order_completed, order_created
from ticketing_orders.repository import OrderRepository, PaymentProjection
from ticketing_orders.retention import forget_people, forget_regularly
from ticketing_testkit.waiting import until

from .conftest import MakeOrder, MakePayment, MakeSettings, MakeTicket, Replica

DAY = timedelta(days=1)
NOW = utc_now()
UNPAID_BEFORE, SOLD_BEFORE = NOW - 90 * DAY, NOW - 3_650 * DAY
LONG_AGO = NOW - 4_000 * DAY


async def forget(orders: OrderRepository) -> int:
    return await forget_people(orders, unpaid_before=UNPAID_BEFORE, sold_before=SOLD_BEFORE, pause_seconds=0)


async def age(orders: OrderRepository, order: Order, changed_at: datetime, **changes: Any) -> None:
    """As if the order had been changed last at this time, and its events had been published."""
    fields = {"updated_at": changed_at, "outbox": [], **changes}
    await orders.collection.update_one({"_id": order.id}, {"$set": fields})


@pytest.fixture
def stored(orders: OrderRepository, make_order: MakeOrder, make_ticket: MakeTicket) -> Any:
    async def store(changed_at: datetime, *ends: str, ticket: TicketData | None = None, **changes: Any) -> Order:
        order = make_order(ticket or make_ticket(venue="Ann's garden"), user_id=changes.pop("user_id", None))
        order.turn = changes.pop("turn", 0)
        await orders.add(order, order_created)
        for end in ends:
            if end == "complete":
                order.complete(new_id())
                await orders.save(order, order_completed)
            else:
                assert order.cancel() if end == "cancel" else order.refund()
                await orders.save(order, order_cancelled)
        await age(orders, order, changed_at, **changes)
        return order

    return store


async def names_its_buyer(orders: OrderRepository, order: Order) -> bool:
    return bool((await orders.get(order.id)).user_id)


async def document(orders: OrderRepository, order: Order) -> Document:
    found = await orders.collection.find_one({"_id": order.id})
    assert found is not None
    return found


async def test_an_order_that_is_old_enough_loses_its_people(orders: OrderRepository, stored: Any) -> None:
    unpaid = await stored(UNPAID_BEFORE - DAY, "cancel")
    refunded = await stored(SOLD_BEFORE - DAY, "complete", "refund")
    complete = await stored(SOLD_BEFORE - DAY, "complete", **{"ticket.starts_at": SOLD_BEFORE - DAY})
    undated = await stored(SOLD_BEFORE - DAY, "complete")
    assert await forget(orders) == 4
    for order in (unpaid, refunded, complete, undated):
        found = await document(orders, order)
        event = found["outbox"][-1]
        for text in (order.user_id, order.ticket.user_id, "Ann's garden", "Opening night"):
            assert text not in str(found)
        assert (found["version"], len(found["outbox"])) == (order.version + 1, 1)
        name = "completed" if order.status is OrderStatus.COMPLETE else "cancelled"
        assert event["subject"] == f"order.{name}.{order.id}"
        kept = await orders.get(order.id)
        for field in ("status", "reason", "payment_id", "seats", "total_cents", "created_at"):
            assert getattr(kept, field) == getattr(order, field)
        assert kept.status_since is not None
        assert kept.status_since < UNPAID_BEFORE, "a later time would ask for a mail"
        with pytest.raises(OrderForbiddenError):
            kept.check_owner(order.user_id)
    assert await forget(orders) == 0


async def test_what_is_young_or_undecided_keeps_its_buyer(orders: OrderRepository, stored: Any) -> None:
    event = {"at": NOW, "id": "1", "subject": "order.cancelled.1", "body": "{}"}
    kept = {
        "unpaid, young": await stored(UNPAID_BEFORE + DAY, "cancel"),
        "unpaid, open": await stored(LONG_AGO),
        "refunded, young": await stored(SOLD_BEFORE + DAY, "complete", "refund"),
        "complete, young": await stored(SOLD_BEFORE + DAY, "complete"),
        "event to come": await stored(LONG_AGO, "complete", **{"ticket.starts_at": NOW + DAY}),
        "event of last year": await stored(LONG_AGO, "complete", **{"ticket.starts_at": NOW - 365 * DAY}),
        "disputed": await stored(LONG_AGO, "complete", disputed=True),
        "not published": await stored(LONG_AGO, "cancel", outbox=[event]),
        "refused by the bus": await stored(LONG_AGO, "cancel", outbox_parked=[event]),
    }
    assert await forget(orders) == 0
    assert [name for name, order in kept.items() if not await names_its_buyer(orders, order)] == []


async def test_a_seat_that_was_sold_stays_sold(
    orders: OrderRepository, stored: Any, make_order: MakeOrder, make_ticket: MakeTicket
) -> None:
    ticket = make_ticket()
    await stored(LONG_AGO, "complete", ticket=ticket)
    assert await forget(orders) == 1
    with pytest.raises(SeatTakenError):
        await orders.add(make_order(ticket), order_created)
    assert await orders.count_sold(ticket.id) == 1


async def test_orders_of_one_buyer_and_ticket_do_not_hinder_each_other(
    orders: OrderRepository, stored: Any, make_ticket: MakeTicket
) -> None:
    """Their turns are unique for a buyer and a ticket, and without a buyer they would be equal."""
    ticket, buyers = make_ticket(), [new_id(), new_id()]
    held = [
        await stored(LONG_AGO, "cancel", ticket=ticket, user_id=buyer, turn=turn) for buyer in buyers for turn in (0, 1)
    ]
    assert await forget(orders) == len(held)


async def test_two_replicas_change_each_order_once(replicas: list[Replica], stored: Any) -> None:
    old = [await stored(LONG_AGO, "cancel") for _ in range(20)]
    changed = await asyncio.gather(*(forget(replica.orders) for replica in replicas))
    assert sum(changed) == len(old)
    assert {(await replicas[0].orders.get(order.id)).version for order in old} == {3}


async def test_an_order_that_cannot_be_published_stops_no_other(orders: OrderRepository, stored: Any) -> None:
    broken = await stored(LONG_AGO - DAY, "cancel", **{"ticket.price_cents": 0})
    unreadable = await stored(LONG_AGO - DAY, "cancel", expires_at="yesterday")
    other = await stored(LONG_AGO, "cancel")
    assert await forget(orders) == 1
    assert not await names_its_buyer(orders, other)
    for order in (broken, unreadable):
        assert (await document(orders, order))["user_id"] == order.user_id


@pytest.mark.parametrize("status", ["cancelled", "complete"])
async def test_an_index_finds_them(orders: OrderRepository, status: str) -> None:
    for sold in (True, False) if status == "cancelled" else (True,):
        payment = {"$gt": ""} if sold else None
        query = {"status": status, "payment_id": payment, "user_id": {"$gt": ""}, "updated_at": {"$lt": NOW}}
        plan = str((await orders.collection.find(query).sort("updated_at", 1).explain())["queryPlanner"]["winningPlan"])
        assert f"'indexName': '{'sold' if sold else 'unpaid'}_with_buyer'" in plan
        assert "'stage': 'SORT'" not in plan


async def test_the_copy_of_a_payment_names_no_buyer(
    database: Database, make_order: MakeOrder, make_payment: MakePayment
) -> None:
    payments = PaymentProjection(database["payments"])
    await payments.ensure_indexes()
    payment, earlier = make_payment(make_order()), make_payment(make_order())
    await payments.apply(payment)
    await payments.collection.insert_one(  # as a replica of the version before stores it
        {"_id": earlier.id, **PaymentData.model_dump(earlier, exclude={"id"})}
    )
    assert await payments.forget_buyers() == 1
    for one in (payment, earlier):
        assert await payments.find(one.id) == one.model_copy(update={"user_id": ""})


async def test_the_service_does_so_by_itself(
    orders: OrderRepository, database: Database, stored: Any, settings: MakeSettings
) -> None:
    order = await stored(LONG_AGO, "complete")
    payments = PaymentProjection(database["payments"])

    async def is_forgotten() -> bool:
        return not await names_its_buyer(orders, order)

    async with forget_regularly(orders, payments, settings(), every_seconds=0.01):
        await until(is_forgotten)
