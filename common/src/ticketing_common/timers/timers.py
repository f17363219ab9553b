"""Timers: arq jobs on Redis that wake a worker. The database says what is due, so a lost timer only delays."""

import asyncio
import json
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from arq.connections import ArqRedis
from arq.constants import job_key_prefix
from arq.jobs import serialize_job
from arq.utils import timestamp_ms, to_unix_ms
from redis.asyncio import ConnectionPool, SSLConnection
from redis.exceptions import RedisError

from ticketing_common.batching import Batcher, Operation
from ticketing_common.resilience import cancel_and_wait
from ticketing_common.telemetry import current_traceparent, get_logger

log = get_logger(__name__)

JOB: Final = "wake"
CONNECT_SECONDS: Final = 1.0
ANSWER_SECONDS: Final = 3.0
"""Limits the wait for a Redis that hangs."""
PAUSE_SECONDS: Final = 2.0
FORGET_SECONDS: Final = 60
"""Expiry of the job of a removed timer. It is not deleted at once, because arq may be about to read it."""


def to_json(job: dict[str, Any]) -> bytes:
    """The stored form of a job: JSON instead of arq's pickle, so that write access to Redis runs no code."""
    return json.dumps(job, default=repr).encode()


def connect(url: str, queue: str, *, ca_file: str = "") -> ArqRedis:
    """A client of this queue. It connects at its first command.

    With `ca_file` (PEM) only over TLS, and only to a server with a certificate of that CA for its name.
    """
    tls: dict[str, Any] = {}
    if ca_file:  # redis-py 5 verifies the chain by default, but the name only on request
        tls = {"connection_class": SSLConnection, "ssl_ca_certs": ca_file, "ssl_check_hostname": True}
    pool = ConnectionPool.from_url(url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=ANSWER_SECONDS, **tls)
    client = ArqRedis(pool, default_queue_name=queue, job_serializer=to_json, job_deserializer=json.loads)
    client.auto_close_connection_pool = True  # no other client uses the pool
    return client


@dataclass(frozen=True, slots=True)
class _Timer:
    id: str
    at: datetime
    trace: tuple[str, ...]
    """Further arguments of the job: the traceparent in which the timer is set, or none."""


class Timers:
    """Sets one timer for each id, in the queue of `redis`. Never fails: the worker's sweep does not need timers."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis
        self._queue: str = redis.default_queue_name
        self._paused_until = 0.0
        self._tasks: set[asyncio.Task[object]] = set()
        operation = Operation("redis.enqueue", {"db.system.name": "redis", "db.operation.name": "enqueue"})
        self._arm: Batcher[_Timer, bool] = Batcher(self._arm_each, operation)

    async def arm(self, timer_id: str, at: datetime) -> bool:
        """Set a timer at that time, unless this id has one. False if Redis is unavailable."""
        if time.monotonic() < self._paused_until:
            return False
        trace = (traceparent,) if (traceparent := current_traceparent()) else ()
        return await self._arm(_Timer(timer_id, at, trace))

    async def _arm_each(self, timers: Sequence[_Timer]) -> list[bool]:
        """Write what arq's `enqueue_job` writes, in one round trip for all; arq needs four for each timer."""
        try:
            async with self._redis.pipeline(transaction=True) as together:
                now = timestamp_ms()
                for one in timers:
                    job = serialize_job(JOB, (one.id, *one.trace), {}, None, now, serializer=to_json)
                    kept_ms = max(0, to_unix_ms(one.at) - now) + self._redis.expires_extra_ms
                    together.set(job_key_prefix + one.id, job, px=kept_ms, nx=True)
                together.zadd(self._queue, {one.id: to_unix_ms(one.at) for one in timers}, nx=True)
                await together.execute()
        except (RedisError, OSError) as error:
            self._pause(error)
            return [False] * len(timers)
        return [True] * len(timers)

    def arm_soon(self, timer_id: str, at: datetime) -> None:
        """As `arm`, in a task, so that a Redis that hangs does not delay the caller."""
        if time.monotonic() >= self._paused_until:
            self._start(self.arm(timer_id, at))

    async def without_timer(self, timer_ids: Sequence[str]) -> list[str]:
        """The ids without a timer; empty while Redis is unavailable."""
        if not timer_ids or time.monotonic() < self._paused_until:
            return []
        try:
            scores = await self._redis.zmscore(self._queue, list(timer_ids))
        except (RedisError, OSError) as error:
            self._pause(error)
            return []
        return [timer_id for timer_id, score in zip(timer_ids, scores, strict=True) if score is None]

    def remove(self, timer_ids: Sequence[str]) -> None:
        """Remove timers that have not fired. It runs as a task, so that a Redis that hangs does not delay the caller.

        A timer that fires in spite of this finds nothing to do.
        """
        if timer_ids and time.monotonic() >= self._paused_until:
            self._start(self._remove(timer_ids))

    def _start(self, operation: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(operation)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _remove(self, timer_ids: Sequence[str]) -> None:
        try:
            async with self._redis.pipeline(transaction=True) as together:
                together.zrem(self._queue, *timer_ids)
                for timer_id in timer_ids:
                    together.expire(job_key_prefix + timer_id, FORGET_SECONDS)
                await together.execute()
        except (RedisError, OSError) as error:
            self._pause(error)

    async def close(self) -> None:
        """Cancel what is pending, and disconnect from Redis."""
        await cancel_and_wait(*self._tasks)
        await self._redis.aclose()

    def _pause(self, error: Exception) -> None:
        # Event handling continues while Redis is unavailable; the pause avoids a timeout for each event.
        self._paused_until = time.monotonic() + PAUSE_SECONDS
        log.warning("timers not set, the sweep replaces them", error=repr(error))
