import pytest

from ticketing_common.events import (
    OrderCancelled,
    OrderCompleted,
    OrderCreated,
    OrderEvent,
    OrderReason,
    OrderStatus,
)
from ticketing_common.timers import connect
from ticketing_expiration.app import create_app
from ticketing_expiration.domain import DeadlineStatus
from ticketing_expiration.repository import DeadlineRepository
from ticketing_expiration.settings import QUEUE, Settings
from ticketing_testkit.apps import Bus, run_app
from ticketing_testkit.servers import RedisServer
from ticketing_testkit.waiting import until

from .conftest import make_order


async def expect_status(deadlines: DeadlineRepository, order_id: str, status: DeadlineStatus) -> None:
    async def reached() -> bool:
        deadline = await deadlines.find(order_id)
        return deadline is not None and deadline.status is status

    await until(reached)


async def test_an_order_on_the_bus_gets_a_deadline_and_a_timer(
    settings: Settings, bus: Bus, deadlines: DeadlineRepository, redis_url: str
) -> None:
    order = make_order()
    async with run_app(create_app(settings)), connect(redis_url, QUEUE) as redis:
        await bus.publish(OrderCreated.of(order))

        await expect_status(deadlines, order.id, DeadlineStatus.PENDING)

        async def armed() -> bool:
            return await redis.zscore(QUEUE, order.id) is not None

        await until(armed)


@pytest.mark.parametrize(
    ("event", "status", "reason"),
    [(OrderCompleted, OrderStatus.COMPLETE, None), (OrderCancelled, OrderStatus.CANCELLED, OrderReason.BUYER)],
)
@pytest.mark.parametrize("overtaken", [False, True])
async def test_the_end_of_an_order_on_the_bus_cancels_its_deadline(
    settings: Settings,
    bus: Bus,
    deadlines: DeadlineRepository,
    event: type[OrderEvent],
    status: OrderStatus,
    reason: OrderReason | None,
    overtaken: bool,
) -> None:
    created = OrderCreated.of(make_order())
    ended = event.of(make_order(created.data.id, status=status, reason=reason, version=2))
    last = OrderCreated.of(make_order())
    async with run_app(create_app(settings)):
        for one in [ended, created, last] if overtaken else [created, ended, last]:
            await bus.publish(one)

        await expect_status(deadlines, last.data.id, DeadlineStatus.PENDING)
        await expect_status(deadlines, created.data.id, DeadlineStatus.CANCELLED)


async def test_an_event_is_handled_while_redis_is_away(
    settings: Settings, bus: Bus, deadlines: DeadlineRepository, redis_server: RedisServer
) -> None:
    async with run_app(create_app(settings)):
        redis_server.kill()
        orders = [make_order() for _ in range(20)]
        for order in orders:
            await bus.publish(OrderCreated.of(order))

        for order in orders:
            await expect_status(deadlines, order.id, DeadlineStatus.PENDING)

        async def acknowledged() -> bool:
            consumer = await bus.js.consumer_info("ORDERS", "expiration-orders")
            return (consumer.num_ack_pending, consumer.num_pending) == (0, 0)

        await until(acknowledged)
