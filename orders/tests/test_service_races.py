import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

from ticketing_common.entity import new_id
from ticketing_common.events import OrderReason, OrderStatus, TicketStatus
from ticketing_orders.domain import Order
from ticketing_orders.errors import OrderTransitionError, TicketReservedError
from ticketing_orders.publishers import order_created
from ticketing_orders.repository import OrderRepository
from ticketing_orders.service import OrderService

from .conftest import MakeOrder, MakePayment, MakeTicket, published

ROUNDS: Final = 200
AT_ONCE: Final = 10


async def race(*sides: Awaitable[object]) -> list[object]:
    """Run all concurrently, each after its own random delay of a few milliseconds, so that either may win."""

    async def run(side: Awaitable[object]) -> object:
        await asyncio.sleep(random.uniform(0, 0.004))
        return await side

    return await asyncio.gather(*map(run, sides), return_exceptions=True)


async def many_rounds(once: Callable[[], Awaitable[object]]) -> Counter[object]:
    """How often each outcome occurred."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def bounded() -> object:
        async with slots:
            return await once()

    async with asyncio.TaskGroup() as group:
        rounds = [group.create_task(bounded()) for _ in range(ROUNDS)]
    return Counter(finished.result() for finished in rounds)


async def test_pay_against_cancel_has_one_winner(
    service: OrderService, orders: OrderRepository, make_order: MakeOrder, make_payment: MakePayment
) -> None:
    async def once() -> OrderStatus:
        order = make_order()
        await orders.add(order, order_created)
        payment = make_payment(order)
        paid, cancelled = await race(service.follow_payment(payment), service.cancel(order.id, user_id=order.user_id))
        assert paid is None
        after = await orders.get(order.id)
        assert after.version == 2
        if after.status is OrderStatus.COMPLETE:
            assert isinstance(cancelled, OrderTransitionError)
            assert (after.reason, after.payment_id) == (None, payment.id)
            assert await published(orders, order) == ["order.created", "order.completed"]
        else:
            assert isinstance(cancelled, Order)
            assert (after.reason, after.payment_id) == (OrderReason.BUYER, None)
            assert await published(orders, order) == ["order.created", "order.cancelled"]
        return after.status

    outcomes = await many_rounds(once)
    assert set(outcomes) == {OrderStatus.COMPLETE, OrderStatus.CANCELLED}, outcomes


async def test_pay_against_expire_has_one_winner(
    service: OrderService, orders: OrderRepository, make_order: MakeOrder, make_payment: MakePayment
) -> None:
    async def once() -> OrderStatus:
        order = make_order(due=True)
        await orders.add(order, order_created)
        payment = make_payment(order)
        answers = await race(service.follow_payment(payment), service.expire(order.id, deadline=order.expires_at))
        assert answers == [None, None]
        after = await orders.get(order.id)
        assert after.version == 2
        if after.status is OrderStatus.COMPLETE:
            assert (after.reason, after.payment_id) == (None, payment.id)
            assert await published(orders, order) == ["order.created", "order.completed"]
        else:
            assert (after.reason, after.payment_id) == (OrderReason.EXPIRED, None)
            assert await published(orders, order) == ["order.created", "order.cancelled"]
        return after.status

    outcomes = await many_rounds(once)
    assert set(outcomes) == {OrderStatus.COMPLETE, OrderStatus.CANCELLED}, outcomes


async def test_pay_cancel_expire_and_deletion_at_once_have_one_winner(
    service: OrderService,
    orders: OrderRepository,
    make_order: MakeOrder,
    make_ticket: MakeTicket,
    make_payment: MakePayment,
) -> None:
    async def once() -> OrderReason | None:
        ticket = make_ticket()
        order = make_order(ticket, due=True)
        await orders.add(order, order_created)
        await race(
            service.follow_payment(make_payment(order)),
            service.cancel(order.id, user_id=order.user_id),
            service.expire(order.id, deadline=order.expires_at),
            service.follow_ticket(ticket.model_copy(update={"version": 2, "status": TicketStatus.DELETED})),
        )
        after = await orders.get(order.id)
        assert after.version == 2
        assert (after.status is OrderStatus.COMPLETE) == (after.reason is None)
        assert len(await published(orders, order)) == 2
        return after.reason

    outcomes = await many_rounds(once)
    assert len(outcomes) > 1, outcomes


async def test_a_freed_ticket_goes_to_one_of_the_waiting_buyers(
    service: OrderService, orders: OrderRepository, make_ticket: MakeTicket
) -> None:
    ticket = make_ticket()
    await service.follow_ticket(ticket)
    held = await service.place(ticket.id, user_id=new_id())
    answers = await race(
        service.cancel(held.id, user_id=held.user_id),
        *(service.place(ticket.id, user_id=new_id()) for _ in range(20)),
    )
    placed = [answer for answer in answers[1:] if isinstance(answer, Order)]
    refused = [answer for answer in answers[1:] if isinstance(answer, TicketReservedError)]
    assert len(placed) <= 1
    assert len(placed) + len(refused) == 20
    active = await orders.collection.count_documents({"ticket.id": ticket.id, "status": "created"})
    assert active == len(placed)
