"""2,000 buyers of 1 to 4 seats at two replicas, for one listing of 500: no seat is sold twice or left unsold."""

import asyncio
import random
from collections import Counter
from typing import Any

import pytest

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import OrderStatus, TicketData
from ticketing_orders.domain import Order
from ticketing_orders.errors import TicketReservedError

from .conftest import MakePayment, MakeTicket, Replica

SEATS = 500
BUYERS = 2_000


@pytest.fixture
async def arena(replicas: list[Replica], make_ticket: MakeTicket) -> TicketData:
    ticket = make_ticket(quantity=SEATS, highest_seat=SEATS)
    await replicas[0].service.follow_ticket(ticket)
    return ticket


async def tell_the_others(replicas: list[Replica], writer: Replica, order: Order) -> None:
    """Report the order to the other replicas some milliseconds later, as the stream of order events does."""
    await asyncio.sleep(0.02)
    for replica in replicas:
        if replica is not writer:
            replica.free_seats.see(order)


async def rush(replicas: list[Replica], ticket: TicketData, buyers: int) -> list[tuple[int, Order | None]]:
    """Run all buyers concurrently; returns the seats that each wanted, and the order, None when too few were free."""

    async def buy(number: int) -> tuple[int, Order | None]:
        replica, wanted = replicas[number % len(replicas)], random.randint(1, 4)
        try:
            order = await replica.service.place(ticket.id, user_id=new_id(), quantity=wanted)
        except TicketReservedError as refused:
            assert int(refused.members["available"]) < wanted  # noqa: PT017
            return wanted, None
        await tell_the_others(replicas, replica, order)
        return wanted, order

    return await asyncio.gather(*map(buy, range(buyers)))


async def taken(replica: Replica, ticket: TicketData) -> Counter[int]:
    """How many active orders have each seat, by the documents themselves."""
    query: dict[str, Any] = {"ticket.id": ticket.id, "status": {"$in": ["created", "complete"]}}
    found = replica.orders.collection.find(query, {"seats": 1})
    return Counter([seat async for document in found for seat in document["seats"]])


async def test_no_seat_is_sold_twice_and_no_buyer_is_refused_while_seats_are_free(
    replicas: list[Replica], arena: TicketData
) -> None:
    answers = await rush(replicas, arena, BUYERS)
    seats = await taken(replicas[0], arena)
    assert max(seats.values()) == 1
    assert set(seats) <= set(range(1, SEATS + 1))
    assert all(order is None or order.quantity == wanted for wanted, order in answers)
    assert seats.total() == sum(wanted for wanted, order in answers if order)
    free = SEATS - len(seats)
    assert all(wanted > free for wanted, order in answers if order is None), "a refused request does not fit at the end"
    assert free == 0, "2,000 buyers want ten times as many"


async def test_without_the_index_seats_are_sold_twice(replicas: list[Replica], arena: TicketData) -> None:
    """The negative control: without the index, two replicas choose the same seats."""
    await replicas[0].orders.collection.drop_index("one_active_order_per_seat")
    await rush(replicas, arena, 400)
    assert max((await taken(replicas[0], arena)).values()) > 1


async def test_seats_that_come_back_are_sold_again(
    replicas: list[Replica], arena: TicketData, make_payment: MakePayment
) -> None:
    """Buyers cancel, holds expire and are paid, while other buyers request the same seats."""
    chance = random.Random(19)
    first = [order for _, order in await rush(replicas, arena, 300) if order]
    await replicas[0].orders.collection.update_many({}, {"$set": {"expires_at": utc_now()}})

    async def end(order: Order) -> None:
        writer = chance.choice(replicas)
        match chance.randrange(3):
            case 0:
                await writer.service.cancel(order.id, user_id=order.user_id)
            case 1:
                await writer.service.expire(order.id, deadline=utc_now())
            case _:
                await writer.service.follow_payment(make_payment(order))
        await tell_the_others(replicas, writer, await writer.orders.get(order.id))

    async with asyncio.TaskGroup() as group:
        rushing = group.create_task(rush(replicas, arena, 600))
        for order in first:
            group.create_task(end(order))
    seats = await taken(replicas[0], arena)
    assert max(seats.values()) == 1
    ended = [await replicas[0].orders.get(order.id) for order in first]
    kept = sum(order.quantity for order in ended if order.status is OrderStatus.COMPLETE)
    assert seats.total() == kept + sum(wanted for wanted, order in rushing.result() if order)
    for _ in range(SEATS - len(seats)):
        await replicas[1].service.place(arena.id, user_id=new_id())
    with pytest.raises(TicketReservedError):
        await replicas[0].service.place(arena.id, user_id=new_id())
    assert set((await taken(replicas[0], arena)).values()) == {1}
