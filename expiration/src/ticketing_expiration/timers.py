"""Wake-up calls at an order's deadline: arq jobs on Redis. Losing any of them costs a moment, never a release."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from arq.connections import ArqRedis
from arq.constants import job_key_prefix
from arq.jobs import serialize_job
from arq.utils import timestamp_ms, to_unix_ms
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from ticketing_common.batching import Batcher, Operation
from ticketing_common.resilience import cancel_and_wait
from ticketing_common.telemetry import current_traceparent, get_logger

__all__ = ["JOB", "QUEUE", "Timers", "connect", "from_json", "to_json"]

log = get_logger(__name__)

QUEUE: Final = "expiration"
JOB: Final = "wake"
CONNECT_SECONDS: Final = 1.0
ANSWER_SECONDS: Final = 3.0
"""A Redis that hangs must not hang us."""
PAUSE_SECONDS: Final = 2.0
FORGET_SECONDS: Final = 60
"""For the job of a timer that was taken away; not at once, as arq may be about to read it."""


def to_json(job: dict[str, Any]) -> bytes:
    """What a job is stored as. Not arq's default, pickle: whoever may write to Redis must not be able to run code."""
    return json.dumps(job, default=repr).encode()


def from_json(body: bytes) -> dict[str, Any]:
    """The reverse of `to_json`."""
    job: dict[str, Any] = json.loads(body)
    return job


def connect(url: str) -> ArqRedis:
    """A client; nothing is sent until the first command."""
    pool = ConnectionPool.from_url(url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=ANSWER_SECONDS)
    client = ArqRedis(pool, default_queue_name=QUEUE, job_serializer=to_json, job_deserializer=from_json)
    client.auto_close_connection_pool = True  # the pool is nobody else's
    return client


@dataclass(frozen=True, slots=True)
class _Timer:
    order_id: str
    at: datetime
    trace: tuple[str, ...]
    """The traceparent of whoever sets it, or nothing: the job's further arguments."""


class Timers:
    """Sets one timer per order. Never fails: the deadline is in the database, and the worker sets what is missing."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis
        self._paused_until = 0.0
        self._takers: set[asyncio.Task[None]] = set()
        operation = Operation("redis.enqueue", {"db.system.name": "redis", "db.operation.name": "enqueue"})
        self._arm: Batcher[_Timer, bool] = Batcher(self._arm_each, operation)

    async def arm(self, order_id: str, at: datetime) -> bool:
        """Wake a worker at that time, unless a timer of this order is already set; False when Redis is away."""
        if time.monotonic() < self._paused_until:
            return False
        trace = (traceparent,) if (traceparent := current_traceparent()) else ()
        return await self._arm(_Timer(order_id, at, trace))

    async def _arm_each(self, timers: Sequence[_Timer]) -> list[bool]:
        """What `enqueue_job` writes, in one round trip for all; it takes four for each, and a third of our time."""
        try:
            async with self._redis.pipeline(transaction=True) as together:
                now = timestamp_ms()
                for one in timers:
                    job = serialize_job(JOB, (one.order_id, *one.trace), {}, None, now, serializer=to_json)
                    kept_ms = max(0, to_unix_ms(one.at) - now) + self._redis.expires_extra_ms
                    together.set(job_key_prefix + one.order_id, job, px=kept_ms, nx=True)
                together.zadd(QUEUE, {one.order_id: to_unix_ms(one.at) for one in timers}, nx=True)
                await together.execute()
        except (RedisError, OSError) as error:
            self._pause(error)
            return [False] * len(timers)
        return [True] * len(timers)

    async def without_timer(self, order_ids: Sequence[str]) -> list[str]:
        """Those for which no timer is set; none at all while Redis is away."""
        if not order_ids or time.monotonic() < self._paused_until:
            return []
        try:
            scores = await self._redis.zmscore(QUEUE, list(order_ids))
        except (RedisError, OSError) as error:
            self._pause(error)
            return []
        return [order_id for order_id, score in zip(order_ids, scores, strict=True) if score is None]

    def take_away(self, order_ids: Sequence[str]) -> None:
        """Unset those that have not gone off, soon: a Redis that hangs must not hold up whoever releases.

        One that goes off all the same finds nothing to do.
        """
        if order_ids and time.monotonic() >= self._paused_until:
            task = asyncio.create_task(self._take_away(order_ids))
            self._takers.add(task)
            task.add_done_callback(self._takers.discard)

    async def _take_away(self, order_ids: Sequence[str]) -> None:
        try:
            async with self._redis.pipeline(transaction=True) as together:
                together.zrem(QUEUE, *order_ids)
                for order_id in order_ids:
                    together.expire(job_key_prefix + order_id, FORGET_SECONDS)
                await together.execute()
        except (RedisError, OSError) as error:
            self._pause(error)

    async def close(self) -> None:
        """Leave Redis."""
        await cancel_and_wait(*self._takers)
        await self._redis.aclose()

    def _pause(self, error: Exception) -> None:
        # Events go on being handled while Redis is away; not every one of them should wait for it to time out.
        self._paused_until = time.monotonic() + PAUSE_SECONDS
        log.warning("no timers can be set, the sweep stands in for them", error=repr(error))
