import asyncio
from datetime import timedelta
from secrets import token_hex

import pytest

from ticketing_common.entity import new_id
from ticketing_common.errors import ConcurrentUpdateError
from ticketing_common.events import OrderCancelled, OrderCompleted, OrderCreated, OrderData, OrderReason, OrderStatus
from ticketing_common.storage import Database
from ticketing_common.telemetry import trace_scope
from ticketing_common.timers import Timers, connect
from ticketing_expiration.domain import Deadline, DeadlineStatus
from ticketing_expiration.repository import DeadlineRepository
from ticketing_expiration.service import ExpirationService
from ticketing_expiration.settings import QUEUE
from ticketing_testkit.servers import RedisServer
from ticketing_testkit.waiting import until

from .conftest import make_order


@pytest.fixture
def service(deadlines: DeadlineRepository, timers: Timers) -> ExpirationService:
    return ExpirationService(deadlines, timers)


async def published(database: Database) -> list[str]:
    """The order ids of all `expiration.completed` events in the outboxes."""
    documents = await database["deadlines"].find({"outbox": {"$ne": []}}).to_list(None)
    return sorted(entry["subject"].rpartition(".")[2] for document in documents for entry in document["outbox"])


async def test_an_order_that_was_created_has_a_deadline_and_a_timer(
    service: ExpirationService, deadlines: DeadlineRepository, redis_url: str
) -> None:
    order = make_order()

    await service.follow_order(order)

    deadline = await deadlines.get(order.id)
    assert deadline.expires_at == order.expires_at
    assert deadline.status is DeadlineStatus.PENDING
    async with connect(redis_url, QUEUE) as redis:
        assert await redis.zscore(QUEUE, order.id) == round(order.expires_at.timestamp() * 1000)


async def test_a_repeated_order_event_makes_one_deadline(
    service: ExpirationService, deadlines: DeadlineRepository
) -> None:
    order = make_order()

    await service.follow_order(order)
    await service.follow_order(order)

    assert (await deadlines.get(order.id)).version == 1


@pytest.mark.parametrize("status", [OrderStatus.COMPLETE, OrderStatus.CANCELLED])
async def test_the_end_of_an_order_cancels_its_deadline(
    service: ExpirationService, deadlines: DeadlineRepository, database: Database, status: OrderStatus
) -> None:
    order = make_order(due_in=-1)
    await service.follow_order(order)

    await service.follow_order(make_order(order.id, status=status, version=2))

    assert (await deadlines.get(order.id)).status is DeadlineStatus.CANCELLED
    assert await service.release_due() == 0
    assert await published(database) == []


@pytest.mark.parametrize("status", [OrderStatus.COMPLETE, OrderStatus.CANCELLED])
async def test_an_end_that_arrives_before_the_creation_cancels_the_deadline(
    service: ExpirationService, deadlines: DeadlineRepository, status: OrderStatus
) -> None:
    order = make_order(due_in=-1)

    await service.follow_order(make_order(order.id, due_in=-1, status=status, version=2))
    await service.follow_order(order)

    assert (await deadlines.get(order.id)).status is DeadlineStatus.CANCELLED
    assert await service.release_due() == 0


async def test_a_cancellation_caused_by_the_deadline_changes_nothing(
    service: ExpirationService, deadlines: DeadlineRepository
) -> None:
    order = make_order(due_in=-1)
    await service.follow_order(order)
    await service.release_due()
    before = await deadlines.get(order.id)

    cancelled = make_order(order.id, status=OrderStatus.CANCELLED, reason=OrderReason.EXPIRED, version=2)
    await service.follow_order(cancelled)

    assert await deadlines.get(order.id) == before


async def test_events_of_many_orders_set_and_cancel_their_deadlines(
    service: ExpirationService, deadlines: DeadlineRepository
) -> None:
    ended, paid, unknown, new = (make_order(due_in=due_in) for due_in in (-1, 900, 900, 900))
    await service.follow_orders([OrderCreated.of(order) for order in (ended, paid)])
    await service.release_due()

    await service.follow_orders(
        [
            OrderCancelled.of(make_order(ended.id, status=OrderStatus.CANCELLED, version=2)),
            OrderCompleted.of(make_order(paid.id, status=OrderStatus.COMPLETE, version=2)),
            OrderCancelled.of(make_order(unknown.id, status=OrderStatus.CANCELLED, version=2)),
            OrderCreated.of(new, traceparent=f"00-{'a' * 32}-{'b' * 16}-00"),
        ]
    )

    stored = await deadlines.find_all([order.id for order in (ended, paid, unknown, new)])
    assert {order_id: deadline.status for order_id, deadline in stored.items()} == {
        ended.id: DeadlineStatus.COMPLETED,
        paid.id: DeadlineStatus.CANCELLED,
        unknown.id: DeadlineStatus.CANCELLED,
        new.id: DeadlineStatus.PENDING,
    }
    assert (stored[new.id].traceparent or "").startswith(f"00-{'a' * 32}-")


async def test_all_due_deadlines_are_completed_together_and_none_early(
    service: ExpirationService, deadlines: DeadlineRepository, database: Database
) -> None:
    due = [make_order(due_in=-3_600 + number) for number in range(450)]  # as after an hour of downtime
    early = make_order(due_in=60)
    await asyncio.gather(*(service.follow_order(order) for order in [*due, early]))

    assert await service.release_due() == 450

    assert await published(database) == sorted(order.id for order in due)
    assert (await deadlines.get(early.id)).status is DeadlineStatus.PENDING
    assert await service.release_due() == 0


async def test_concurrent_workers_complete_nothing_twice(
    deadlines: DeadlineRepository, timers: Timers, database: Database
) -> None:
    workers = [ExpirationService(deadlines, timers) for _ in range(3)]
    orders = [make_order(due_in=-1) for _ in range(300)]
    await asyncio.gather(*(workers[0].follow_order(order) for order in orders))

    released = await asyncio.gather(*(worker.release_due() for worker in workers))

    assert sum(released) == 300
    assert await published(database) == sorted(order.id for order in orders)


async def test_a_payment_that_races_with_the_deadline_has_one_outcome(
    service: ExpirationService, deadlines: DeadlineRepository, database: Database
) -> None:
    orders = [make_order(due_in=-1) for _ in range(100)]
    await asyncio.gather(*(service.follow_order(order) for order in orders))

    async def pay(order: OrderData) -> None:
        paid = make_order(order.id, status=OrderStatus.COMPLETE, version=2)
        while True:
            try:
                await service.follow_order(paid)
            except ConcurrentUpdateError:  # the event is delivered again
                continue
            return

    _, *rest = await asyncio.gather(service.release_due(), *map(pay, orders))

    assert len(rest) == 100
    statuses = {order.id: (await deadlines.get(order.id)).status for order in orders}
    assert set(statuses.values()) <= {DeadlineStatus.COMPLETED, DeadlineStatus.CANCELLED}
    assert await published(database) == sorted(
        id_ for id_, status in statuses.items() if status is DeadlineStatus.COMPLETED
    )


async def test_an_early_timer_gets_the_remaining_time(
    service: ExpirationService, deadlines: DeadlineRepository
) -> None:
    order = make_order(due_in=3_600)
    await service.follow_order(order)

    remaining = await service.on_timer(order.id)

    assert remaining is not None
    assert timedelta(minutes=50) < remaining <= timedelta(hours=1)
    assert (await deadlines.get(order.id)).status is DeadlineStatus.PENDING


async def test_a_redis_that_hangs_does_not_delay_a_completion(
    deadlines: DeadlineRepository, service_redis_url: str, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ticketing_common.timers.timers.ANSWER_SECONDS", 600.0)  # longer than the test runs
    timers = Timers(connect(service_redis_url, QUEUE))
    service = ExpirationService(deadlines, timers)
    await service.follow_order(make_order(due_in=-1))
    with redis_server.paused():
        async with asyncio.timeout(30):
            assert await service.release_due() == 1
    await timers.close()


async def test_every_deadline_continues_its_own_trace(service: ExpirationService, database: Database) -> None:
    """All are completed in one batch, which runs in another trace."""
    traces = {}
    for _ in range(3):
        order, traceparent = make_order(due_in=-1), f"00-{token_hex(16)}-{token_hex(8)}-01"
        with trace_scope(traceparent):
            await service.follow_order(order)
        traces[order.id] = traceparent

    with trace_scope(None):
        assert await service.release_due() == 3

    documents = await database["deadlines"].find().to_list(None)
    assert {document["_id"]: document["outbox"][0]["traceparent"] for document in documents} == traces


async def test_a_timer_of_an_unknown_order_does_nothing(service: ExpirationService) -> None:
    assert await service.on_timer(new_id()) is None


async def test_one_timer_completes_all_due_deadlines(service: ExpirationService, database: Database) -> None:
    orders = [make_order(due_in=-1) for _ in range(5)]
    for order in orders:
        await service.follow_order(order)

    await service.on_timer(orders[3].id)

    assert await published(database) == sorted(order.id for order in orders)


async def test_a_timer_that_fires_during_completions_waits_for_them(
    service: ExpirationService, deadlines: DeadlineRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ticketing_expiration.service.COMPLETIONS_WAIT_SECONDS", 600.0)
    order = make_order(due_in=-1)
    await service.follow_order(order)
    begun, may_list = asyncio.Event(), asyncio.Event()
    list_due = deadlines.list_due

    async def list_later(*, limit: int) -> list[Deadline]:
        begun.set()
        await may_list.wait()
        return await list_due(limit=limit)

    monkeypatch.setattr(deadlines, "list_due", list_later)
    completions = asyncio.create_task(service.release_due())
    await begun.wait()
    timer = asyncio.create_task(service.on_timer(order.id))
    for _ in range(3):
        assert await deadlines.remaining(order.id)
    assert not timer.done()

    may_list.set()

    assert (await completions, await timer) == (1, None)


async def test_with_redis_away_the_deadline_is_stored_and_the_timer_set_later(
    service: ExpirationService, deadlines: DeadlineRepository, redis_server: RedisServer
) -> None:
    redis_server.kill()
    order = make_order(due_in=300)
    await service.follow_order(order)
    assert (await deadlines.get(order.id)).status is DeadlineStatus.PENDING

    redis_server.start()

    await until(lambda: service.arm_upcoming(timedelta(minutes=10)))
    assert await service.arm_upcoming(timedelta(minutes=10)) == 0
