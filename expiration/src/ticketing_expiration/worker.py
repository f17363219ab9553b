"""The worker process: completes deadlines that are due, triggered by timers and by a sweep.

    python -m ticketing_expiration.worker

An arq job runs within a tenth of a second after a deadline. The sweep runs every second and needs no Redis. Both
complete everything that is due, each deadline by compare-and-swap, so any number of workers may run.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from fastapi import FastAPI

from ticketing_common.delivery import ServiceRuntime
from ticketing_common.timers import Timers, TimerWorker, connect
from ticketing_common.topology import EXPIRATIONS
from ticketing_common.web.worker_app import create_worker_app, serve_worker

from .repository import DeadlineRepository
from .service import ExpirationService
from .settings import QUEUE, Settings

SWEEP_SECONDS: Final = 1.0
REARM_SECONDS: Final = 5.0
REARM_AHEAD: Final = timedelta(seconds=3 * REARM_SECONDS)


def create_worker(settings: Settings) -> FastAPI:
    """The worker as an application whose only routes are /healthz, /readyz and /metrics.

    Ready means that it can complete deadlines: the indexes and the stream exist, and NATS is connected. Redis is not
    checked: without it, completions are only up to a second late, and the worker stays ready.
    """
    redis_url = settings.redis_url.get_secret_value()

    @asynccontextmanager
    async def work(runtime: ServiceRuntime) -> AsyncIterator[None]:
        deadlines = DeadlineRepository(runtime.outbox("deadlines"))
        runtime.add_stores(deadlines)
        timers = Timers(connect(redis_url, QUEUE, ca_file=settings.internal_ca_file))
        service = ExpirationService(deadlines, timers)

        async def arm_upcoming() -> None:
            await service.arm_upcoming(REARM_AHEAD)

        worker = TimerWorker(
            redis_url,
            ca_file=settings.internal_ca_file,
            queue=QUEUE,
            on_timer=service.on_timer,
            periodic={service.release_due: SWEEP_SECONDS, arm_upcoming: REARM_SECONDS},
        )
        runtime.start()
        try:
            async with worker.running():
                yield
        finally:
            await timers.close()

    return create_worker_app(settings, title="Expiration worker", work=work, publishes=EXPIRATIONS)


def main() -> None:
    """Run until SIGTERM or Ctrl-C."""
    settings = Settings()
    serve_worker(create_worker(settings), settings)


if __name__ == "__main__":
    main()
