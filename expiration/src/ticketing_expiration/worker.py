"""The worker process: completes deadlines that are due, triggered by timers and by a sweep.

    python -m ticketing_expiration.worker

An arq job runs within a tenth of a second after a deadline. The sweep runs every second and needs no Redis. Both
complete everything that is due, each deadline by compare-and-swap, so any number of workers may run.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import uvicorn
from arq.worker import Retry, Worker, func
from fastapi import FastAPI
from redis.exceptions import RedisError
from starlette.middleware import Middleware

from ticketing_common.delivery import ServiceRuntime
from ticketing_common.events.subjects import EXPIRATIONS
from ticketing_common.resilience import background, cancel_and_wait
from ticketing_common.telemetry import consumer_span, get_logger
from ticketing_common.telemetry.metrics import TIMERS_AVAILABLE
from ticketing_common.web.app import configure_telemetry
from ticketing_common.web.error_handlers import ProblemMiddleware, add_error_handlers
from ticketing_common.web.health import router as health_router
from ticketing_common.web.http_protocol import HttpProtocol
from ticketing_common.web.routing import RoutingMiddleware
from ticketing_common.web.security_headers import SecurityHeadersMiddleware

from .repository import DeadlineRepository
from .service import ExpirationService
from .settings import Settings
from .timers import JOB, QUEUE, Timers, connect, from_json, to_json

__all__ = ["ExpirationWorker", "create_worker", "main"]

log = get_logger(__name__)

SWEEP_SECONDS: Final = 1.0
REARM_SECONDS: Final = 5.0
REARM_AHEAD: Final = timedelta(seconds=3 * REARM_SECONDS)
FIRST_RESTART_SECONDS: Final = 0.5
LONGEST_RESTART_SECONDS: Final = 10.0
GRACEFUL_SECONDS: Final = 4
# arq's defaults (10 jobs every 0.5 s) start 49 jobs a second (measured); these start 1,800.
MAX_JOBS: Final = 200
POLL_SECONDS: Final = 0.1
# A killed worker's jobs are blocked for this and ten seconds more; until then the sweep does their work.
JOB_TIMEOUT_SECONDS: Final = 15
MAX_TRIES: Final = 10
PUT_BACK_SECONDS: Final = 3.0
"""How long a stopping worker waits until its jobs are requeued in Redis; less than GRACEFUL_SECONDS."""


class ExpirationWorker:
    """Runs timers and sweep concurrently; each alone completes every deadline."""

    def __init__(self, service: ExpirationService, redis_url: str) -> None:
        self._service = service
        self._redis_url = redis_url

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run inside this block. A job that is still running at its end is requeued for another worker."""
        with background():
            sweep = asyncio.create_task(_repeat(self._service.release_due, SWEEP_SECONDS))
            rearm = asyncio.create_task(_repeat(self._arm_upcoming, REARM_SECONDS))
            timers = asyncio.create_task(self._follow_timers())
        try:
            yield
        finally:
            timers.cancel()  # once only: it has jobs to requeue
            await asyncio.wait([timers], timeout=GRACEFUL_SECONDS)
            await cancel_and_wait(sweep, rearm, timers)

    async def on_timer(self, ctx: dict[Any, Any], order_id: str, traceparent: str | None = None) -> None:
        """The arq job, in the trace of the request that placed the order. A timer that was set again has no trace."""
        with consumer_span("wake", traceparent, {"messaging.system": "arq"}):
            await self._on_timer(ctx, order_id)

    async def _on_timer(self, ctx: dict[Any, Any], order_id: str) -> None:
        try:
            remaining = await self._service.on_timer(order_id)
        except Exception as error:
            # After any error the deadline stays in the database, and the sweep tries it, too.
            log.warning("timer failed, retried", order_id=order_id, error=repr(error))
            raise Retry(defer=float(ctx["job_try"])) from error
        if remaining is not None:
            log.info("timer fired early", order_id=order_id, seconds=remaining.total_seconds())
            raise Retry(defer=max(remaining, timedelta(milliseconds=1)))

    async def _arm_upcoming(self) -> None:
        await self._service.arm_upcoming(REARM_AHEAD)

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
            queue_name=QUEUE,
            redis_pool=connect(self._redis_url),
            handle_signals=False,
            max_jobs=MAX_JOBS,
            poll_delay=POLL_SECONDS,
            job_timeout=JOB_TIMEOUT_SECONDS,
            keep_result=0,
            max_tries=MAX_TRIES,
            job_serializer=to_json,
            job_deserializer=from_json,
            on_startup=_timers_are_available,  # arq calls it after the first response of Redis
        )
        polling = asyncio.create_task(worker.main())
        try:
            await asyncio.wait([polling])
            polling.result()  # raises the error that ended it
        finally:
            TIMERS_AVAILABLE.set(0)
            worker.allow_pick_jobs = False
            await cancel_and_wait(polling, repeat_seconds=0.1)
            await cancel_and_wait(*worker.tasks.values(), repeat_seconds=0.1)  # arq requeues their jobs
            await worker.put_back()
            with contextlib.suppress(RedisError, OSError):
                await worker.pool.aclose()


async def _timers_are_available(_: dict[Any, Any]) -> None:
    TIMERS_AVAILABLE.set(1)


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


def create_worker(settings: Settings) -> FastAPI:
    """The worker as an application whose only routes are /healthz, /readyz and /metrics.

    Ready means that it can complete deadlines: the indexes and the stream exist, and NATS is connected. Redis is not
    checked: without it, completions are only up to a second late, and the worker stays ready.
    """
    configure_telemetry(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        runtime = ServiceRuntime(settings, publishes=EXPIRATIONS)
        app.state.runtime = runtime
        deadlines = DeadlineRepository(runtime.outbox("deadlines"))
        runtime.add_stores(deadlines)
        redis_url = settings.redis_url.get_secret_value()
        timers = Timers(connect(redis_url))
        runtime.start()
        try:
            async with ExpirationWorker(ExpirationService(deadlines, timers), redis_url).running():
                yield
        finally:
            await timers.close()
            await runtime.stop()  # last: it still publishes the events of the latest completions

    app = FastAPI(
        title="Expiration worker",
        lifespan=lifespan,
        openapi_url=None,
        redirect_slashes=False,
        middleware=[
            Middleware(SecurityHeadersMiddleware, behind_tls=settings.cookie_secure),
            Middleware(ProblemMiddleware),
            Middleware(RoutingMiddleware),
        ],
    )
    add_error_handlers(app)
    app.include_router(health_router)
    return app


def main() -> None:
    """Run until SIGTERM or Ctrl-C."""
    settings = Settings()
    uvicorn.run(
        create_worker(settings),
        host=settings.worker_health_host,
        port=settings.worker_health_port,
        loop="uvloop",
        http=HttpProtocol,
        server_header=False,
        limit_concurrency=500,
        lifespan="on",
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=1,  # probes need no more
    )


if __name__ == "__main__":
    main()
