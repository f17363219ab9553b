"""An order expires at its deadline, and never after its payment or cancellation."""

from datetime import timedelta

import pytest

from ticketing_common.entity import new_id
from ticketing_common.events import ExpirationCompleted, ExpirationData, OrderReason, OrderStatus, parse_event
from ticketing_orders.domain import Order
from ticketing_orders.errors import OrderNotDueError, OrderNotFoundError
from ticketing_orders.publishers import order_created
from ticketing_orders.repository import OrderRepository
from ticketing_orders.service import OrderService

from .conftest import MakeOrder, MakePayment, MakeTicket, place, published


async def test_a_due_hold_expires_once(service: OrderService, orders: OrderRepository, make_order: MakeOrder) -> None:
    order = make_order(due=True)
    await orders.add(order, order_created)
    for _ in range(2):
        await service.expire(order.id, deadline=order.expires_at)
    ended = await orders.get(order.id)
    assert (ended.status, ended.reason, ended.version) == (OrderStatus.CANCELLED, OrderReason.EXPIRED, 2)
    assert await published(orders, order) == ["order.created", "order.cancelled"]


async def test_a_hold_that_is_not_due_here_is_retried_later(
    service: OrderService, orders: OrderRepository, make_ticket: MakeTicket
) -> None:
    order = await place(service, make_ticket())
    with pytest.raises(OrderNotDueError):
        await service.expire(order.id, deadline=order.expires_at)
    assert (await orders.get(order.id)).status is OrderStatus.CREATED


async def test_a_paid_order_does_not_expire(
    service: OrderService, orders: OrderRepository, make_order: MakeOrder, make_payment: MakePayment
) -> None:
    order = make_order(due=True)
    await orders.add(order, order_created)
    await service.follow_payment(make_payment(order))
    await service.expire(order.id, deadline=order.expires_at)
    assert (await orders.get(order.id)).status is OrderStatus.COMPLETE


async def test_a_cancelled_orders_timer_does_not_touch_the_next_buyer(
    service: OrderService, orders: OrderRepository, make_order: MakeOrder, make_ticket: MakeTicket
) -> None:
    ticket = make_ticket()
    await service.follow_ticket(ticket)
    first = make_order(ticket, due=True)
    await orders.add(first, order_created)
    await service.cancel(first.id, user_id=first.user_id)
    second = await service.place(ticket.id, user_id=new_id())
    await service.expire(first.id, deadline=first.expires_at)
    assert (await orders.get(first.id)).reason is OrderReason.BUYER
    assert (await orders.get(first.id)).version == 2
    assert (await orders.get(second.id)).status is OrderStatus.CREATED


async def test_an_older_deadline_does_not_end_an_order(
    service: OrderService, orders: OrderRepository, make_order: MakeOrder
) -> None:
    order = make_order(due=True)
    await orders.add(order, order_created)
    await service.expire(order.id, deadline=order.expires_at - timedelta(seconds=1))
    assert (await orders.get(order.id)).status is OrderStatus.CREATED


def passed(order: Order) -> ExpirationCompleted:
    data = ExpirationData(id=order.id, version=2, order_id=order.id, expires_at=order.expires_at)
    return ExpirationCompleted.of(data, traceparent=f"00-{order.id:0>32}-{'b' * 16}-00")


async def test_many_deadlines_end_their_due_orders_each_in_its_own_trace(
    service: OrderService, orders: OrderRepository, make_order: MakeOrder, make_payment: MakePayment
) -> None:
    due = [make_order(due=True) for _ in range(6)]
    for order in due:
        await orders.add(order, order_created)
    await service.follow_payment(make_payment(due[2]))
    await service.cancel(due[4].id, user_id=due[4].user_id)

    for _ in range(2):
        await service.expire_all([passed(order) for order in due])

    ended = [await orders.get(order.id) for order in due]
    expired = (OrderStatus.CANCELLED, OrderReason.EXPIRED, 2)
    assert [(order.status, order.reason, order.version) for order in ended] == [
        *(expired, expired),
        (OrderStatus.COMPLETE, None, 2),
        expired,
        (OrderStatus.CANCELLED, OrderReason.BUYER, 2),
        expired,
    ]
    stored = await orders.collection.find_one({"_id": due[0].id}) or {}
    event = parse_event(stored["outbox"][-1]["subject"], stored["outbox"][-1]["body"].encode())
    assert event.traceparent == passed(due[0]).traceparent


@pytest.mark.parametrize("fault", [OrderNotDueError, OrderNotFoundError])
async def test_one_wrong_deadline_among_many_is_an_error_and_the_others_can_be_repeated(
    service: OrderService, orders: OrderRepository, make_order: MakeOrder, fault: type[Exception]
) -> None:
    due = [make_order(due=True) for _ in range(3)]
    wrong = make_order(due=fault is OrderNotFoundError)
    for order in [*due, wrong][: 3 if fault is OrderNotFoundError else 4]:
        await orders.add(order, order_created)

    with pytest.raises(fault):
        await service.expire_all([passed(order) for order in (due[0], wrong, *due[1:])])

    await service.expire_all([passed(order) for order in due])
    assert {(await orders.get(order.id)).version for order in due} == {2}


async def test_an_order_that_is_paid_while_many_expire_stays_paid(
    service: OrderService,
    orders: OrderRepository,
    make_order: MakeOrder,
    make_payment: MakePayment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    due = [make_order(due=True) for _ in range(3)]
    for order in due:
        await orders.add(order, order_created)
    read = orders.find_all

    async def read_and_pay(ids: list[str]) -> dict[str, Order]:
        found = await read(ids)
        await service.follow_payment(make_payment(due[1]))
        return found

    monkeypatch.setattr(orders, "find_all", read_and_pay)
    await service.expire_all([passed(order) for order in due])

    assert [(await orders.get(order.id)).status for order in due] == [
        OrderStatus.CANCELLED,
        OrderStatus.COMPLETE,
        OrderStatus.CANCELLED,
    ]
