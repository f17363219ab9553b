import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import arq.worker
import pytest
from prometheus_client import REGISTRY

from ticketing_common.entity import utc_now
from ticketing_common.events import ExpirationCompleted
from ticketing_common.timers import connect
from ticketing_expiration import worker as worker_module
from ticketing_expiration.domain import Deadline, DeadlineStatus
from ticketing_expiration.repository import DeadlineRepository
from ticketing_expiration.settings import QUEUE, Settings
from ticketing_expiration.worker import create_worker
from ticketing_testkit.apps import Bus, run_app
from ticketing_testkit.servers import RedisServer
from ticketing_testkit.waiting import until

from .conftest import arm, hold, released


@pytest.fixture(autouse=True)
def quiet() -> None:
    """Silences arq, which logs a stack trace when it loses Redis; these tests do that on purpose."""
    logging.getLogger("arq").setLevel(logging.CRITICAL)


async def queued(redis_url: str) -> int:
    async with connect(redis_url, QUEUE) as redis:
        return int(await redis.zcard(QUEUE))


async def status(deadlines: DeadlineRepository, deadline: Deadline) -> DeadlineStatus:
    return (await deadlines.get(deadline.id)).status


def without_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run one sweep at the start, and none for the rest of the test."""
    monkeypatch.setattr(worker_module, "SWEEP_SECONDS", 600)
    monkeypatch.setattr(worker_module, "REARM_SECONDS", 600)


async def test_a_timer_ends_a_hold_at_its_deadline(
    settings: Settings,
    bus: Bus,
    deadlines: DeadlineRepository,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_sweep(monkeypatch)
    async with run_app(create_worker(settings)):
        held = await hold(deadlines, due_in=0.5)
        await arm(redis_url, held)

        event = await bus.expect(ExpirationCompleted)

    assert event.data.order_id == held.id
    assert event.data.expires_at == held.expires_at
    assert event.time >= held.expires_at


async def test_the_sweep_ends_a_hold_without_a_timer(
    settings: Settings, bus: Bus, deadlines: DeadlineRepository, redis_server: RedisServer
) -> None:
    redis_server.kill()
    async with run_app(create_worker(settings)) as client:
        held = await hold(deadlines, due_in=0.3)

        event = await bus.expect(ExpirationCompleted)

        assert event.data.order_id == held.id
        assert event.time >= held.expires_at
        assert (await client.get("/readyz")).status_code == 200


async def test_timers_work_again_after_redis_was_killed_and_started(
    settings: Settings,
    bus: Bus,
    deadlines: DeadlineRepository,
    redis_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_sweep(monkeypatch)
    async with run_app(create_worker(settings)):
        first = await hold(deadlines, due_in=0.1)
        await arm(redis_server.url, first)
        await bus.expect(ExpirationCompleted, lambda event: event.data.order_id == first.id)

        redis_server.kill()
        redis_server.start()

        second = await hold(deadlines, due_in=0.1)
        await arm(redis_server.url, second)
        await bus.expect(ExpirationCompleted, lambda event: event.data.order_id == second.id)


async def test_the_worker_shows_whether_it_reaches_redis(
    settings: Settings, bus: Bus, redis_server: RedisServer
) -> None:
    def shows(value: float) -> Callable[[], Awaitable[bool]]:
        async def check() -> bool:
            return REGISTRY.get_sample_value("timers_available", {"queue": QUEUE}) == value

        return check

    async with run_app(create_worker(settings)):
        await until(shows(1))
        redis_server.kill()
        await until(shows(0))
        redis_server.start()
        await until(shows(1))
    assert await shows(0)()


async def test_timers_lost_with_redis_are_set_again(
    settings: Settings,
    bus: Bus,
    deadlines: DeadlineRepository,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_module, "REARM_SECONDS", 0.1)
    async with run_app(create_worker(settings)):
        held = await hold(deadlines, due_in=10)
        await arm(redis_url, held)
        async with connect(redis_url, QUEUE) as redis:
            await redis.flushall()

            async def armed() -> bool:
                score: float | None = await redis.zscore(QUEUE, held.id)
                return score == round(held.expires_at.timestamp() * 1000)

            await until(armed)


async def test_deadlines_that_passed_without_a_worker_are_completed_once(
    settings: Settings, bus: Bus, deadlines: DeadlineRepository, redis_url: str
) -> None:
    overdue = [await hold(deadlines, due_in=-3_600 + number) for number in range(300)]
    early = await hold(deadlines, due_in=60)
    await arm(redis_url, *overdue[:100], early)

    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(run_app(create_worker(settings)))

        async def all_told() -> bool:
            return len(await released(bus)) >= len(overdue)

        await until(all_told)

        async def timers_done() -> bool:
            return await queued(redis_url) == 1

        await until(timers_done)

    assert await released(bus) == sorted(deadline.id for deadline in overdue)
    assert await status(deadlines, early) is DeadlineStatus.PENDING


async def test_a_clock_that_jumps_ahead_releases_nothing_early(
    settings: Settings,
    bus: Bus,
    deadlines: DeadlineRepository,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = await hold(deadlines, due_in=60)
    await arm(redis_url, held)
    timestamp_ms = arq.worker.timestamp_ms  # type: ignore[attr-defined]
    monkeypatch.setattr(arq.worker, "timestamp_ms", lambda: timestamp_ms() + 3_600_000)

    async with run_app(create_worker(settings)), connect(redis_url, QUEUE) as redis:
        # With a clock an hour ahead the timer fires at once, and is set again for the deadline by that same clock.
        async def put_off() -> bool:
            score = await redis.zscore(QUEUE, held.id)
            return score is not None and score > (held.expires_at.timestamp() + 3_500) * 1000

        await until(put_off)

    assert await status(deadlines, held) is DeadlineStatus.PENDING
    assert await released(bus) == []


async def test_a_timer_that_fails_is_retried(
    settings: Settings,
    bus: Bus,
    deadlines: DeadlineRepository,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_sweep(monkeypatch)
    remaining = DeadlineRepository.remaining
    failures = iter([ConnectionError("the database is away")])

    async def fails_once(self: DeadlineRepository, order_id: str) -> timedelta | None:
        for error in failures:
            raise error
        return await remaining(self, order_id)

    monkeypatch.setattr(DeadlineRepository, "remaining", fails_once)
    async with run_app(create_worker(settings)):
        held = await hold(deadlines, due_in=0.1)
        await arm(redis_url, held)

        await bus.expect(ExpirationCompleted, lambda event: event.data.order_id == held.id)


async def test_a_busy_worker_stops_at_once(
    settings: Settings, bus: Bus, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for its jobs to end, and not for the limit of that wait."""
    monkeypatch.setattr("ticketing_common.timers.worker.PUT_BACK_SECONDS", 600.0)
    for _ in range(5):
        await arm(redis_url, *(Deadline(expires_at=utc_now()) for _ in range(500)))
        async with asyncio.timeout(60), run_app(create_worker(settings)):
            pass


async def test_a_stopping_worker_requeues_its_jobs_although_redis_is_slow(
    settings: Settings, bus: Bus, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the wait, arq's shielded last command loses its connection, and the jobs stay blocked for 25 s."""
    without_sweep(monkeypatch)
    under_way: list[str] = []
    finish_job = arq.worker.Worker.finish_job

    async def works_for_ever(self: DeadlineRepository, order_id: str) -> timedelta | None:
        under_way.append(order_id)
        await asyncio.Event().wait()
        return None

    async def takes_its_time(self: arq.worker.Worker, *args: Any, **values: Any) -> None:
        await asyncio.sleep(0.5)  # longer than a worker waits between two cancels
        await finish_job(self, *args, **values)

    async def all_under_way() -> bool:
        return len(under_way) == 20

    monkeypatch.setattr("ticketing_common.timers.worker.PUT_BACK_SECONDS", 600.0)  # the wait ends with the jobs
    monkeypatch.setattr(DeadlineRepository, "remaining", works_for_ever)
    monkeypatch.setattr(arq.worker.Worker, "finish_job", takes_its_time)
    async with run_app(create_worker(settings)), connect(redis_url, QUEUE) as redis:
        await arm(redis_url, *(Deadline(expires_at=utc_now()) for _ in range(20)))
        await until(all_under_way)
        assert len(await redis.keys("arq:in-progress:*")) == 20

    async with connect(redis_url, QUEUE) as redis:
        assert await redis.keys("arq:in-progress:*") == []
        assert await redis.zcard(QUEUE) == 20
