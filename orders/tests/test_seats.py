"""Several seats in one order: all or none, also next to orders and replicas of the version with one seat."""

import asyncio
from dataclasses import asdict
from typing import Any

import pytest

from ticketing_common.entity import new_id
from ticketing_common.events import OrderReason, OrderStatus, TicketData, TicketStatus
from ticketing_common.storage import ASCENDING, Collection, DuplicateKeyError, Index
from ticketing_orders.domain import ACTIVE_STATUSES, Order
from ticketing_orders.errors import PriceChangedError, SeatTakenError, TicketReservedError
from ticketing_orders.publishers import order_created
from ticketing_orders.repository import ONE_ORDER_PER_TICKET, OrderRepository
from ticketing_orders.service import OrderService

from .conftest import MakeOrder, MakePayment, MakeTicket

EARLIER_INDEX = Index(
    [("ticket.id", ASCENDING)],
    name=ONE_ORDER_PER_TICKET,
    unique=True,
    partialFilterExpression={"status": {"$in": [status.value for status in ACTIVE_STATUSES]}},
)


def as_earlier(order: Order) -> dict[str, Any]:
    """The document that the earlier version writes for an order: without seats and their keys."""
    document = asdict(order) | {"version": 1, "outbox": [], "status": order.status.value}
    document["_id"] = document.pop("id")
    del document["seats"], document["ticket"]["quantity"]
    return document


async def insert_as_earlier(collection: Collection, order: Order) -> None:
    await collection.insert_one(as_earlier(order))


async def test_an_order_has_all_of_its_seats_or_is_not_stored(
    orders: OrderRepository, make_order: MakeOrder, make_ticket: MakeTicket
) -> None:
    ticket = make_ticket(quantity=5, highest_seat=5)
    await orders.add(make_order(ticket, seats=(2, 3)), order_created)
    refused = make_order(ticket, seats=(4, 3, 5))
    with pytest.raises(SeatTakenError) as error:
        await orders.add(refused, order_created)
    assert error.value.seat == 3
    assert await orders.find(refused.id) is None
    await orders.add(make_order(ticket, seats=(1, 4, 5)), order_created)
    assert sorted(await orders.taken_seats(ticket.id)) == [1, 2, 3, 4, 5]


async def test_the_same_seat_of_another_listing_is_another_seat(orders: OrderRepository, make_order: MakeOrder) -> None:
    for _ in range(3):
        await orders.add(make_order(seats=(1, 2)), order_created)


async def test_seats_of_several_listings_are_read_together(
    orders: OrderRepository, make_order: MakeOrder, make_ticket: MakeTicket
) -> None:
    listed = [make_ticket(quantity=9, highest_seat=9) for _ in range(5)]
    for number, ticket in enumerate(listed, start=1):
        await orders.add(make_order(ticket, seats=(number, 9)), order_created)
    read = await asyncio.gather(*(orders.taken_seats(ticket.id) for ticket in (*listed, make_ticket())))
    assert [sorted(seats) for seats in read] == [[1, 9], [2, 9], [3, 9], [4, 9], [5, 9], []]


@pytest.mark.parametrize("status", list(ACTIVE_STATUSES))
async def test_an_order_of_the_earlier_version_has_seat_1(
    orders: OrderRepository, make_order: MakeOrder, make_ticket: MakeTicket, status: OrderStatus
) -> None:
    ticket = make_ticket(quantity=3, highest_seat=3)
    earlier = make_order(ticket)
    earlier.status = status
    await insert_as_earlier(orders.collection, earlier)
    assert (await orders.get(earlier.id)).seats == (1,)
    assert await orders.taken_seats(ticket.id) == [1]
    with pytest.raises(SeatTakenError) as error:
        await orders.add(make_order(ticket, seats=(3, 1)), order_created)
    assert error.value.seat == 1
    await orders.add(make_order(ticket, seats=(2, 3)), order_created)


async def test_a_replica_of_the_earlier_version_cannot_sell_seat_1_again(
    orders: OrderRepository, make_order: MakeOrder, make_ticket: MakeTicket
) -> None:
    ticket = make_ticket(quantity=3, highest_seat=3)
    await orders.add(make_order(ticket, seats=(1, 2)), order_created)
    with pytest.raises(DuplicateKeyError):
        await insert_as_earlier(orders.collection, make_order(ticket))


async def test_an_order_of_the_earlier_version_keeps_its_seat_when_it_is_paid(
    service: OrderService,
    orders: OrderRepository,
    make_order: MakeOrder,
    make_ticket: MakeTicket,
    make_payment: MakePayment,
) -> None:
    ticket = make_ticket(quantity=3, highest_seat=3)
    earlier = make_order(ticket)
    await insert_as_earlier(orders.collection, earlier)
    await service.follow_payment(make_payment(earlier))
    paid = await orders.get(earlier.id)
    assert (paid.status, paid.seats) == (OrderStatus.COMPLETE, (1,))
    with pytest.raises(SeatTakenError):
        await orders.add(make_order(ticket), order_created)


async def test_the_earlier_index_goes_once_its_successor_is_there(orders: OrderRepository) -> None:
    await orders.collection.drop_indexes()
    await orders.collection.create_indexes([EARLIER_INDEX])
    await orders.ensure_indexes()
    names = set(await orders.collection.index_information())
    assert ONE_ORDER_PER_TICKET not in names
    assert "one_active_order_per_seat" in names
    await orders.ensure_indexes()


async def test_an_earlier_replica_that_starts_late_stops_no_sale(
    orders: OrderRepository, make_order: MakeOrder, make_ticket: MakeTicket
) -> None:
    """It creates its index again, which allows one order for each listing; the first order it refuses drops it."""
    ticket = make_ticket(quantity=3, highest_seat=3)
    await orders.add(make_order(ticket, seats=(2,)), order_created)
    await orders.collection.create_indexes([EARLIER_INDEX])
    await orders.add(make_order(ticket, seats=(3,)), order_created)
    with pytest.raises(SeatTakenError):
        await orders.add(make_order(ticket, seats=(3,)), order_created)
    assert ONE_ORDER_PER_TICKET not in await orders.collection.index_information()


# --- the use case ---------------------------------------------------------------------------------------------------


@pytest.fixture
def many(make_ticket: MakeTicket) -> TicketData:
    """A listing of five seats."""
    return make_ticket(quantity=5, highest_seat=5, price_cents=1_999)


async def test_seats_are_held_until_none_is_left_and_the_refusal_names_the_free_ones(
    service: OrderService, many: TicketData
) -> None:
    await service.follow_ticket(many)
    first = await service.place(many.id, user_id=new_id(), quantity=3)
    with pytest.raises(TicketReservedError) as refused:
        await service.place(many.id, user_id=new_id(), quantity=3)
    assert refused.value.members == {"available": 2}
    second = await service.place(many.id, user_id=new_id(), quantity=2)
    assert sorted(first.seats + second.seats) == [1, 2, 3, 4, 5]
    assert (first.total_cents, first.quantity, first.ticket.quantity) == (5_997, 3, 5)
    await service.cancel(first.id, user_id=first.user_id)
    third = await service.place(many.id, user_id=new_id(), quantity=3)
    assert set(third.seats) == set(first.seats)


async def test_every_event_of_an_order_names_its_seats(
    service: OrderService, orders: OrderRepository, many: TicketData, make_payment: MakePayment
) -> None:
    await service.follow_ticket(many)
    order = await service.place(many.id, user_id=new_id(), quantity=2)
    await service.follow_payment(make_payment(order))
    document = await orders.collection.find_one({"_id": order.id})
    assert document is not None
    assert len(document["outbox"]) == 2
    assert all(f'"seats":[{order.seats[0]},{order.seats[1]}]' in entry["body"] for entry in document["outbox"])


async def test_the_price_that_the_buyer_saw_is_the_price_or_nothing_is_held(
    service: OrderService, orders: OrderRepository, many: TicketData
) -> None:
    await service.follow_ticket(many)
    with pytest.raises(PriceChangedError) as refused:
        await service.place(many.id, user_id=new_id(), price_cents=1_000)
    assert refused.value.members == {"price": 19.99}
    assert await orders.collection.count_documents({}) == 0
    assert (await service.place(many.id, user_id=new_id(), price_cents=1_999)).ticket.price_cents == 1_999


async def test_a_repeated_request_gets_its_order_after_any_later_change(
    service: OrderService, many: TicketData
) -> None:
    await service.follow_ticket(many)
    user_id, order_id = new_id(), new_id()
    first = await service.place(many.id, user_id=user_id, quantity=4, price_cents=1_999, order_id=order_id)
    again = await service.place(many.id, user_id=user_id, quantity=4, price_cents=1_999, order_id=order_id)
    assert again == first, "although fewer seats are free than it asks for"
    await service.follow_ticket(many.model_copy(update={"version": 2, "price_cents": 9_900}))
    again = await service.place(many.id, user_id=user_id, quantity=4, price_cents=1_999, order_id=order_id)
    assert again == first, "although the price is another one"
    other = await service.place(many.id, user_id=new_id(), quantity=1)
    assert not set(other.seats) & set(first.seats)


async def test_a_repeated_request_keeps_no_other_seats(service: OrderService, many: TicketData) -> None:
    await service.follow_ticket(many)
    user_id, order_id = new_id(), new_id()
    first = await service.place(many.id, user_id=user_id, quantity=2, order_id=order_id)
    assert await service.place(many.id, user_id=user_id, quantity=2, order_id=order_id) == first
    assert (await service.place(many.id, user_id=new_id(), quantity=3)).quantity == 3


async def test_a_deleted_listing_ends_all_its_unpaid_orders(
    service: OrderService, orders: OrderRepository, many: TicketData, make_payment: MakePayment
) -> None:
    await service.follow_ticket(many)
    placed = [await service.place(many.id, user_id=new_id(), quantity=quantity) for quantity in (1, 2, 1)]
    await service.follow_payment(make_payment(placed[0]))
    await service.follow_ticket(many.model_copy(update={"version": 2, "status": TicketStatus.DELETED}))
    after = [await orders.get(order.id) for order in placed]
    assert [order.status for order in after] == ["complete", "cancelled", "cancelled"]
    assert {order.reason for order in after[1:]} == {OrderReason.TICKET_GONE}
