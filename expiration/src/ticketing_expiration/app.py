"""The service that consumes order events, stores deadlines and sets timers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from ticketing_common.delivery import ServiceRuntime
from ticketing_common.timers import Timers, connect
from ticketing_common.topology import EXPIRATIONS
from ticketing_common.web.app import create_service_app

from .publishers import expiration_completed
from .repository import DeadlineRepository
from .service import ExpirationService
from .settings import QUEUE, Settings
from .subscribers import subscriptions


def create_app(settings: Settings | None = None) -> FastAPI:
    """The expiration service. It has no public route; the worker completes the deadlines."""
    settings = settings or Settings()

    @asynccontextmanager
    async def assemble(app: FastAPI, runtime: ServiceRuntime) -> AsyncIterator[None]:
        deadlines = DeadlineRepository(runtime.outbox("deadlines"))
        runtime.add_stores(deadlines)
        runtime.enable_resync(deadlines, expiration_completed)
        timers = Timers(connect(settings.redis_url.get_secret_value(), QUEUE, ca_file=settings.internal_ca_file))
        app.state.service = ExpirationService(deadlines, timers)
        runtime.subscribe(subscriptions(app.state.service))
        try:
            yield
        finally:
            await timers.close()

    return create_service_app(settings, title="Expiration", assemble=assemble, publishes=EXPIRATIONS)
