import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

from pydantic import SecretStr

from ticketing_common.delivery import Consumer, DeadLetters, EventSubscription
from ticketing_common.events import ExpirationCompleted
from ticketing_common.messaging import JetStreamPublisher, NatsConnection
from ticketing_common.settings import NatsSettings
from ticketing_common.topology import EXPIRATIONS
from ticketing_testkit.apps import Bus
from ticketing_testkit.servers import NatsServer
from ticketing_testkit.waiting import until

Consume = Callable[..., AbstractAsyncContextManager[Consumer]]
Condition = Callable[[], Awaitable[bool]]
MakeEvent = Callable[..., ExpirationCompleted]
Handling = Callable[..., Any]
SERVICE = "orders"
DURABLE = "orders-expirations"


async def test_a_deleted_consumer_is_recreated_and_no_event_is_lost(
    connection: NatsConnection, bus: Bus, consume: Consume, event: MakeEvent, handling: Handling
) -> None:
    handled = handling()
    async with consume(connection, handled):
        await bus.publish(first := event())
        await until(handled.holds(1))

        await bus.js.delete_consumer(EXPIRATIONS, DURABLE)
        await bus.publish(second := event())

        async def second_came() -> bool:
            return (second.data.id, 1) in handled.versions

        await until(second_came)

    assert {id_ for id_, _ in handled.versions} == {first.data.id, second.data.id}


async def test_consuming_continues_after_a_bus_outage(
    connection: NatsConnection,
    nats_server: NatsServer,
    bus: Bus,
    consume: Consume,
    event: MakeEvent,
    handling: Handling,
) -> None:
    handled = handling()
    async with consume(connection, handled):
        await bus.publish(event())
        await until(handled.holds(1))

        nats_server.kill()
        await asyncio.to_thread(nats_server.start)

        async with Bus.connect(nats_server.url) as afterwards:
            await afterwards.publish(event())
            await until(handled.holds(2))


async def test_slow_work_is_not_redelivered_to_another_replica(
    connection: NatsConnection, bus: Bus, consume: Consume, event: MakeEvent, all_settled: Condition
) -> None:
    ack_wait = 3.0  # a replica that is held up for two thirds of it would lose the event, and rightly
    begun = 0
    done: list[str] = []

    async def slow(one: ExpirationCompleted) -> None:
        nonlocal begun
        begun += 1
        await asyncio.sleep(1.5 * ack_wait)
        done.append(one.data.id)

    await bus.publish(event())
    async with consume(connection, slow, ack_wait=ack_wait), consume(connection, slow, ack_wait=ack_wait):
        await until(all_settled)

    assert (begun, len(done)) == (1, 1)


async def test_replicas_share_the_work(
    connection: NatsConnection, bus: Bus, consume: Consume, event: MakeEvent
) -> None:
    seen: list[str] = []

    async def handle(one: ExpirationCompleted) -> None:
        await asyncio.sleep(0.005)
        seen.append(one.data.id)

    sent = [event() for _ in range(100)]
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(consume(connection, handle, concurrency=2))
        for one in sent:
            await bus.publish(one)
        await until(lambda: len(seen) >= 100)

    assert sorted(seen) == sorted(one.data.id for one in sent)


async def test_a_stopping_replica_returns_unstarted_events_at_once(
    connection: NatsConnection,
    nats_url: str,
    bus: Bus,
    consume: Consume,
    event: MakeEvent,
    handling: Handling,
    all_settled: Condition,
) -> None:
    first_begun: list[str] = []
    second = handling()
    gate = asyncio.Event()

    async def held(one: ExpirationCompleted) -> None:
        first_begun.append(one.data.id)
        await gate.wait()

    second_connection = NatsConnection(NatsSettings(nats_url=SecretStr(nats_url)), name="second")
    await second_connection.connect()
    sent = [event() for _ in range(20)]
    for one in sent:
        await bus.publish(one)

    # An ack_wait of a minute, so that its expiry cannot cause the redelivery.
    async with AsyncExitStack() as second_replica:
        async with consume(connection, held, concurrency=2, ack_wait=60):

            async def in_hand() -> bool:
                return (
                    len(first_begun) == 2 and (await bus.js.consumer_info(EXPIRATIONS, DURABLE)).num_ack_pending == 20
                )

            await until(in_hand)
            await second_replica.enter_async_context(consume(second_connection, second, ack_wait=60))
            handed_over = asyncio.create_task(_then(until(second.holds(18)), gate.set))

        await handed_over
        await until(all_settled)

    assert sorted([*first_begun, *(id_ for id_, _ in second.versions)]) == sorted(one.data.id for one in sent)
    await second_connection.close()


async def _then(awaited: Awaitable[None], action: Callable[[], None]) -> None:
    try:
        await awaited
    finally:
        action()


async def test_work_that_does_not_end_is_cancelled_and_returned_at_the_stop(
    connection: NatsConnection, bus: Bus, consume: Consume, event: MakeEvent, handling: Handling
) -> None:
    begun = asyncio.Event()

    async def endless(_one: ExpirationCompleted) -> None:
        begun.set()
        await asyncio.Event().wait()

    await bus.publish(event())
    subscription = EventSubscription(EXPIRATIONS, {ExpirationCompleted: endless}, ack_wait_seconds=60)
    consumer = Consumer(
        connection, subscription, DeadLetters(JetStreamPublisher(connection)), service=SERVICE, replicas=1
    )
    consumer.start()
    await asyncio.wait_for(begun.wait(), 30)
    await consumer.stop(seconds=0.1)

    handled = handling()
    async with consume(connection, handled, ack_wait=60):
        await until(handled.holds(1))
