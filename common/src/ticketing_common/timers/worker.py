"""A worker that timers and periodic actions wake: arq's worker, kept running while Redis comes and goes."""

import asyncio
import contextlib
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final, TypeAlias

from arq.worker import Retry, Worker, func
from redis.exceptions import RedisError

from ticketing_common.resilience import background, cancel_and_wait
from ticketing_common.telemetry import consumer_span, get_logger
from ticketing_common.telemetry.metrics import TIMERS_AVAILABLE

from .timers import JOB, connect, to_json

log = get_logger(__name__)

FIRST_RESTART_SECONDS: Final = 0.5
LONGEST_RESTART_SECONDS: Final = 10.0
GRACEFUL_SECONDS: Final = 4
# A job costs Redis and this process four round trips, and each does the work of all that are due and removes their
# timers. So when thousands are due at one instant, few should start. arq's default of 0.5 s would wake too late.
MAX_JOBS: Final = 20
READ_LIMIT: Final = 2 * MAX_JOBS
"""How many due jobs one poll reads. A killed worker leaves up to `MAX_JOBS` blocked ones at the head of the queue."""
POLL_SECONDS: Final = 0.1
# A killed worker's jobs are blocked for this and ten seconds more; until then the sweep does their work.
JOB_TIMEOUT_SECONDS: Final = 15
MAX_TRIES: Final = 10
PUT_BACK_SECONDS: Final = 3.0
"""How long a stopping worker waits until its jobs are requeued in Redis; less than GRACEFUL_SECONDS."""

Periodic: TypeAlias = Callable[[], Awaitable[object]]


class TimerWorker:
    """Runs `on_timer` for each timer of a queue, and each of `periodic` about every so many seconds.

    `on_timer` takes the timer's id. It returns the remaining time if the timer fired early, else None.
    """

    def __init__(
        self,
        redis_url: str,
        *,
        queue: str,
        on_timer: Callable[[str], Awaitable[timedelta | None]],
        periodic: Mapping[Periodic, float],
        ca_file: str = "",
    ) -> None:
        self._redis_url = redis_url
        self._ca_file = ca_file
        self._queue = queue
        self._fired = on_timer
        self._periodic = periodic

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run inside this block. A job that is still running at its end is requeued for another worker."""
        with background():
            periodic = [asyncio.create_task(_repeat(action, every)) for action, every in self._periodic.items()]
            timers = asyncio.create_task(self._follow_timers())
        try:
            yield
        finally:
            timers.cancel()  # once only: it has jobs to requeue
            await asyncio.wait([timers], timeout=GRACEFUL_SECONDS)
            await cancel_and_wait(*periodic, timers)

    async def on_timer(self, ctx: dict[Any, Any], timer_id: str, traceparent: str | None = None) -> None:
        """The arq job, in the trace in which the timer was set. A timer that was set again has no trace."""
        with consumer_span("wake", traceparent, {"messaging.system": "arq"}):
            try:
                remaining = await self._fired(timer_id)
            except Exception as error:
                # What is due stays in the database, and the periodic actions try it, too.
                log.warning("timer failed, retried", timer_id=timer_id, error=repr(error))
                raise Retry(defer=float(ctx["job_try"])) from error
        if remaining is not None:
            log.info("timer fired early", timer_id=timer_id, seconds=remaining.total_seconds())
            raise Retry(defer=max(remaining, timedelta(milliseconds=1)))

    async def _follow_timers(self) -> None:
        """Restart arq's worker whenever it ends: it ends with an error when it loses Redis (measured)."""
        pause = FIRST_RESTART_SECONDS
        while True:
            begun = time.monotonic()
            try:
                await self._run_arq()
            except (RedisError, OSError) as error:
                log.warning("Redis is unavailable, only the sweep runs", error=repr(error))
            except Exception:
                log.exception("timers failed, restarting")
            if time.monotonic() - begun > LONGEST_RESTART_SECONDS:
                pause = FIRST_RESTART_SECONDS
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_RESTART_SECONDS)

    async def _run_arq(self) -> None:
        worker = _Worker(
            [func(self.on_timer, name=JOB, timeout=JOB_TIMEOUT_SECONDS, keep_result=0, max_tries=MAX_TRIES)],
            queue_name=self._queue,
            redis_pool=connect(self._redis_url, self._queue, ca_file=self._ca_file),
            handle_signals=False,
            max_jobs=MAX_JOBS,
            queue_read_limit=READ_LIMIT,
            poll_delay=POLL_SECONDS,
            job_timeout=JOB_TIMEOUT_SECONDS,
            keep_result=0,
            max_tries=MAX_TRIES,
            job_serializer=to_json,
            job_deserializer=json.loads,
            on_startup=self._on_startup,  # arq calls it after the first response of Redis
        )
        polling = asyncio.create_task(worker.main())
        try:
            await asyncio.wait([polling])
            polling.result()  # raises the error that ended it
        finally:
            TIMERS_AVAILABLE.labels(self._queue).set(0)
            worker.allow_pick_jobs = False
            await cancel_and_wait(polling, repeat_seconds=0.1)
            await cancel_and_wait(*worker.tasks.values(), repeat_seconds=0.1)  # arq requeues their jobs
            await worker.put_back()
            with contextlib.suppress(RedisError, OSError):
                await worker.pool.aclose()

    async def _on_startup(self, _: dict[Any, Any]) -> None:
        TIMERS_AVAILABLE.labels(self._queue).set(1)


class _Worker(Worker):
    """Tracks jobs that are being requeued or finished.

    arq shields this step from cancellation, so it outlives the job's task. Without waiting for it, the pool would be
    closed first: the job would stay blocked in Redis, and asyncio would report an exception that was never retrieved.
    """

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        self._endings: set[asyncio.Task[None]] = set()

    def finish_job(self, *args: Any, **values: Any) -> Any:
        """Start this step as a task at once: a coroutine that has not started could not be waited for."""
        return self._ending(super().finish_job(*args, **values))

    def finish_failed_job(self, *args: Any, **values: Any) -> Any:
        """The same for a job that cannot run."""
        return self._ending(super().finish_failed_job(*args, **values))

    async def put_back(self) -> None:
        """Wait until all jobs that ended are written to Redis. The sweep does the work of those that are not."""
        if self._endings:
            await asyncio.wait(self._endings, timeout=PUT_BACK_SECONDS)
            await cancel_and_wait(*self._endings)

    def _ending(self, ending: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(ending)
        self._endings.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._endings.discard(task)
        if not task.cancelled():
            task.exception()  # marks it as retrieved, in case the job's own task has ended


async def _repeat(action: Callable[[], Awaitable[object]], seconds: float) -> None:
    """Run `action` about every `seconds` seconds, with jitter, for ever. An error is logged and does not end it."""
    failures = 0
    while True:
        try:
            await action()
            failures = 0
        except Exception as error:
            failures += 1
            log.warning("sweep failed, retried", error=repr(error), exc_info=error if failures == 1 else None)
        await asyncio.sleep(seconds * random.uniform(0.8, 1.2))  # noqa: S311 (jitter, not a secret)
