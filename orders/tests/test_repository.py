import asyncio
from datetime import timedelta

import pytest

from ticketing_common.entity import new_id
from ticketing_common.errors import ConcurrentUpdateError, InvalidInputError
from ticketing_common.events import OrderStatus, TicketStatus
from ticketing_common.storage import Database
from ticketing_common.web import PageRequest
from ticketing_orders.checkins import CheckinRepository
from ticketing_orders.errors import OrderNotFoundError, SeatTakenError
from ticketing_orders.publishers import order_cancelled, order_completed, order_created
from ticketing_orders.repository import ACTIVE, ENDED_COMPLETE, OrderRepository, TicketProjection

from .conftest import MakeOrder, MakeTicket


async def test_an_order_reads_back_as_it_was_written(orders, make_order):
    order = make_order()
    await orders.add(order, order_created)
    assert await orders.get(order.id) == order
    assert order.version == 1


async def test_an_unknown_order_is_not_found(orders):
    with pytest.raises(OrderNotFoundError):
        await orders.get(new_id())


async def test_a_held_ticket_takes_no_second_order(orders, make_order, make_ticket):
    ticket = make_ticket()
    await orders.add(make_order(ticket), order_created)
    second = make_order(ticket)
    with pytest.raises(SeatTakenError):
        await orders.add(second, order_created)
    assert second.version == 0
    assert await orders.find(second.id) is None


async def test_a_sold_ticket_takes_no_second_order(orders, make_order, make_ticket):
    ticket = make_ticket()
    first = make_order(ticket)
    await orders.add(first, order_created)
    first.complete(new_id())
    await orders.save(first, order_completed)
    with pytest.raises(SeatTakenError):
        await orders.add(make_order(ticket), order_created)


async def test_a_cancelled_order_frees_its_ticket(orders, make_order, make_ticket):
    ticket = make_ticket()
    for _ in range(3):
        order = make_order(ticket)
        await orders.add(order, order_created)
        order.cancel()
        await orders.save(order, order_cancelled)
    await orders.add(make_order(ticket), order_created)


async def test_state_version_and_event_are_one_write(orders, make_order):
    order = make_order()
    await orders.add(order, order_created)
    order.cancel()
    await orders.save(order, order_cancelled)
    document = await orders.collection.find_one({"_id": order.id})
    assert (document["status"], document["version"]) == ("cancelled", 2)
    assert [entry["subject"] for entry in document["outbox"]] == [
        f"order.created.{order.id}",
        f"order.cancelled.{order.id}",
    ]


async def test_a_stale_order_is_not_saved(orders, make_order):
    order = make_order()
    await orders.add(order, order_created)
    stale = await orders.get(order.id)
    order.complete(new_id())
    await orders.save(order, order_completed)
    stale.cancel()
    with pytest.raises(ConcurrentUpdateError):
        await orders.save(stale, order_cancelled)
    assert (await orders.get(order.id)).status is OrderStatus.COMPLETE


async def test_only_the_unpaid_orders_of_a_ticket_are_listed(orders, make_order, make_ticket):
    ticket = make_ticket()
    assert await orders.list_unpaid(ticket.id) == []
    held, paid = make_order(ticket, seats=(1, 2)), make_order(ticket, seats=(3,))
    for order in (held, paid):
        await orders.add(order, order_created)
    paid.complete(new_id())
    await orders.save(paid, order_completed)
    assert await orders.list_unpaid(ticket.id) == [held.id]


async def test_a_users_orders_come_newest_first_page_by_page(orders, make_order):
    user_id = new_id()
    mine = [make_order(user_id=user_id) for _ in range(7)]
    for age, order in enumerate(mine):
        order.created_at -= timedelta(seconds=age // 2)  # pairs of the same instant: the id decides
        await orders.add(order, order_created)
    await orders.add(make_order(), order_created)
    walked, after = [], ()
    while after is not None:
        page = await orders.list_of_user(user_id, PageRequest(2, after))
        walked += page.items
        after = page.next_after
    assert walked == sorted(mine, key=lambda order: (order.created_at, order.id), reverse=True)


@pytest.mark.parametrize(
    "after",
    [
        *(("x", "y"), (1, 2), ("2026-01-01T00:00:00+00:00",), (None, "a" * 24), ("", "a" * 24)),
        ("2026-01-01T00:00:00+00:00", "a" * 24),  # what a cursor of this list held once
        *((2**53, "a" * 24), (-(2**53), "a" * 24), (253_402_300_800_000, "a" * 24), (True, "a" * 24)),
    ],
)
async def test_an_invalid_cursor_is_refused(orders, after):
    with pytest.raises(InvalidInputError):
        await orders.list_of_user(new_id(), PageRequest(2, after))


@pytest.mark.parametrize(
    ("query", "order_by", "index"),
    [
        ({"ticket.id": "a" * 24, "status": "created"}, None, "one_active_order_per_seat"),
        ({"ticket.id": "a" * 24, "seat_keys": None, "status": ACTIVE}, None, "one_active_order_per_seat"),
        ({"ticket.id": "a" * 24, "status": "complete"}, None, "one_active_order_per_seat"),
        ({"ticket.id": "a" * 24, **ENDED_COMPLETE}, [("_id", 1)], "void_passes"),
        ({"user_id": "a" * 24}, [("created_at", -1), ("_id", -1)], "user_newest_first"),
    ],
)
async def test_every_query_is_served_by_its_index(orders, query, order_by, index):
    cursor = orders.collection.find(query)
    plan = str((await (cursor.sort(order_by) if order_by else cursor).explain())["queryPlanner"]["winningPlan"])
    assert f"'{index}'" in plan
    assert "'COLLSCAN'" not in plan
    assert "'SORT'" not in plan


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ({"_id": "a" * 24}, "_id_"),
        ({"pass_id": "a" * 24}, "one_checkin_per_pass"),
        ({"order_id": "a" * 24}, "of_order"),
        ({"ticket_id": "a" * 24}, "of_ticket"),
    ],
)
async def test_every_query_of_check_ins_is_served_by_its_index(
    database: Database, query: dict[str, object], index: str
) -> None:
    checkins = CheckinRepository(database["checkins"])
    await checkins.ensure_indexes()
    plan = str((await checkins.collection.find(query).explain())["queryPlanner"]["winningPlan"])
    assert f"'{index}'" in plan or "'IDHACK'" in plan
    assert "'COLLSCAN'" not in plan


@pytest.mark.parametrize("reason", ["payment fails", "buyer", "expired"])
async def test_only_orders_that_were_complete_are_listed_as_ended(
    orders: OrderRepository, make_order: MakeOrder, make_ticket: MakeTicket, reason: str
) -> None:
    ticket = make_ticket(quantity=3, highest_seat=3)
    order, open_hold = make_order(ticket, seats=(2, 1)), make_order(ticket, seats=(3,))
    payment_id = new_id()
    for one in (order, open_hold):
        await orders.add(one, order_created)
    if reason == "payment fails":
        order.complete(payment_id)
        await orders.save(order, order_completed)
        assert await orders.count_sold(ticket.id) == 2
        order.fail_payment(payment_id)
    elif reason == "buyer":
        order.cancel()
    else:
        order.expire(order.expires_at, now=order.expires_at)
    await orders.save(order, order_cancelled)
    assert await orders.count_sold(ticket.id) == 0
    assert await orders.list_ended(ticket.id) == ([(order.id, (2, 1))] if reason == "payment fails" else [])


@pytest.mark.parametrize("seat", [1, 2])
async def test_the_holder_of_a_seat_is_the_active_order_that_has_it(
    orders: OrderRepository, make_order: MakeOrder, make_ticket: MakeTicket, seat: int
) -> None:
    ticket = make_ticket(quantity=4, highest_seat=4)
    ended, active = make_order(ticket, seats=(1, 2)), make_order(ticket, seats=(2, 1))
    await orders.add(ended, order_created)
    ended.cancel()
    await orders.save(ended, order_cancelled)
    assert await orders.find_holder(ticket.id, seat) is None
    await orders.add(active, order_created)
    assert await orders.find_holder(ticket.id, seat) == active
    assert await orders.find_holder(ticket.id, 3) is None
    assert await orders.find_holder(new_id(), seat) is None


async def test_the_event_wakes_a_waiting_request(tickets, make_ticket):
    ticket = make_ticket()
    waiting = asyncio.create_task(tickets.wait_for(ticket.id, seconds=30))
    await asyncio.sleep(0)  # let it begin
    await tickets.apply(ticket)
    assert await asyncio.wait_for(waiting, 30) == ticket


async def test_a_waiting_request_finds_what_another_replica_consumed(tickets, make_ticket):
    ticket = make_ticket()
    waiting = asyncio.create_task(tickets.wait_for(ticket.id, seconds=30))
    await asyncio.sleep(0)  # let it begin
    await TicketProjection(tickets.collection).apply(ticket)
    assert await asyncio.wait_for(waiting, 30) == ticket


async def test_waiting_ends_when_nothing_comes(tickets):
    assert await tickets.wait_for(new_id(), seconds=0.05) is None
    assert not tickets._arrivals


async def test_an_older_event_does_not_bring_a_deleted_ticket_back(tickets, make_ticket):
    ticket = make_ticket(version=3, status=TicketStatus.DELETED)
    await tickets.apply(ticket)
    assert await tickets.apply(make_ticket(id=ticket.id, version=2)) == ticket
