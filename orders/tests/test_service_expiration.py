"""An order expires at its deadline, and never after its payment or cancellation."""

from datetime import timedelta

import pytest

from ticketing_common.entity import new_id
from ticketing_common.events import OrderReason, OrderStatus
from ticketing_orders.errors import (
    OrderNotDueError,
)
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
