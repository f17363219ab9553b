import asyncio
import json
from datetime import timedelta

import pytest

from ticketing_common.entity import new_id, utc_now
from ticketing_common.telemetry import trace_scope
from ticketing_common.timers import Timers, connect
from ticketing_common.timers import timers as timers_module
from ticketing_expiration.settings import QUEUE
from ticketing_testkit.servers import RedisServer
from ticketing_testkit.waiting import until

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
DAY_MS = 86_400_000
"""How long arq keeps a job beyond its time."""


async def test_a_timer_is_set_once(timers: Timers, redis_url: str) -> None:
    order_id, at = new_id(), utc_now() + timedelta(minutes=15)

    assert await timers.arm(order_id, at)
    assert await timers.arm(order_id, at + timedelta(hours=1))

    async with connect(redis_url, QUEUE) as redis:
        assert await redis.zrange(QUEUE, 0, -1, withscores=True) == [
            (order_id.encode(), round(at.timestamp() * 1000)),
        ]


async def test_timers_set_at_the_same_time_are_sent_together_as_jobs_of_arq(timers: Timers, redis_url: str) -> None:
    order_ids, at = [new_id() for _ in range(40)], utc_now() + timedelta(minutes=15)
    async with connect(redis_url, QUEUE) as redis:
        with trace_scope(TRACEPARENT):
            await timers.arm(order_ids[0], at)
        before = (await redis.info("commandstats"))["cmdstat_exec"]["calls"]
        assert all(await asyncio.gather(*(timers.arm(order_id, at) for order_id in order_ids)))

        assert (await redis.info("commandstats"))["cmdstat_exec"]["calls"] - before <= 3
        jobs = {job.job_id: job for job in await redis.queued_jobs(queue_name=QUEUE)}
        kept = await redis.pttl(f"arq:job:{order_ids[-1]}")
    assert set(jobs) == set(order_ids)
    assert list(jobs[order_ids[0]].args) == [order_ids[0], TRACEPARENT], "the first to set it stays"
    assert (jobs[order_ids[1]].function, list(jobs[order_ids[1]].args)) == (timers_module.JOB, [order_ids[1]])
    assert kept == pytest.approx((at - utc_now()).total_seconds() * 1000 + DAY_MS, abs=5_000)


async def test_nothing_that_can_run_code_lies_in_redis(timers: Timers, redis_url: str) -> None:
    order_id = new_id()
    await timers.arm(order_id, utc_now())

    async with connect(redis_url, QUEUE) as redis:
        stored = await redis.get(f"arq:job:{order_id}")

    assert stored is not None
    assert json.loads(stored)["a"] == [order_id]


async def test_missing_timers_are_found(timers: Timers) -> None:
    armed, missing = new_id(), new_id()
    await timers.arm(armed, utc_now())

    assert await timers.without_timer([armed, missing]) == [missing]
    assert await timers.without_timer([]) == []


async def test_a_removed_timer_never_fires_and_its_job_expires(timers: Timers, redis_url: str) -> None:
    stays, *gone = (new_id() for _ in range(4))
    for order_id in (stays, *gone):
        await timers.arm(order_id, utc_now())

    timers.remove(gone)
    timers.remove([])

    async with connect(redis_url, QUEUE) as redis:

        async def taken() -> bool:
            return list(await redis.zrange(QUEUE, 0, -1)) == [stays.encode()]

        await until(taken)
        lives = [await redis.ttl(f"arq:job:{order_id}") for order_id in (stays, *gone)]
    assert lives[0] > timers_module.FORGET_SECONDS
    assert all(0 < left <= timers_module.FORGET_SECONDS for left in lives[1:])


async def test_with_redis_away_setting_a_timer_fails_softly_and_fast(timers: Timers, redis_server: RedisServer) -> None:
    redis_server.kill()

    assert not await timers.arm(new_id(), utc_now())
    assert await timers.without_timer([new_id()]) == []


async def test_a_redis_that_hangs_delays_one_caller_only(
    timers: Timers, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timers_module, "PAUSE_SECONDS", 600.0)
    with redis_server.paused():
        outcomes = [await timers.arm(new_id(), utc_now())]
        monkeypatch.setattr(timers, "_arm", None)  # further calls return before they use it
        outcomes += [await timers.arm(new_id(), utc_now()) for _ in range(19)]

    assert not any(outcomes)


async def test_timers_are_set_again_once_redis_is_back(timers: Timers, redis_server: RedisServer) -> None:
    redis_server.kill()
    order_id = new_id()
    assert not await timers.arm(order_id, utc_now())
    redis_server.start()

    await until(lambda: timers.arm(order_id, utc_now()))
