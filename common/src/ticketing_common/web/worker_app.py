"""A worker process: an application whose only routes are /healthz, /readyz and /metrics."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import TypeAlias

import uvicorn
from fastapi import FastAPI
from starlette.middleware import Middleware

from ticketing_common.delivery import ServiceRuntime
from ticketing_common.settings import ServiceSettings, WorkerSettings

from .app import configure_telemetry
from .error_handlers import add_error_handlers
from .health import router as health_router
from .http_protocol import HttpProtocol
from .request_scope import RequestScopeMiddleware
from .routing import RoutingMiddleware

Work: TypeAlias = Callable[[ServiceRuntime], AbstractAsyncContextManager[None]]
"""Adds the stores to the runtime, calls its `start()`, and works until the block ends."""

AUTOGROUP = Path("/proc/self/autogroup")


def create_worker_app(settings: ServiceSettings, *, title: str, work: Work, publishes: str | None = None) -> FastAPI:
    """The worker. It is ready when nothing of its runtime is missing: indexes, and streams and NATS if it uses them."""
    configure_telemetry(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        runtime = ServiceRuntime(settings, publishes=publishes)
        app.state.runtime = runtime
        try:
            async with work(runtime):
                yield
        finally:
            await runtime.stop()  # last: it still publishes the events of the latest work

    app = FastAPI(
        title=title,
        lifespan=lifespan,
        openapi_url=None,
        redirect_slashes=False,
        middleware=[
            Middleware(RequestScopeMiddleware, service=settings.service_name, behind_tls=settings.cookie_secure),
            Middleware(RoutingMiddleware),
        ],
    )
    add_error_handlers(app)
    app.include_router(health_router)
    return app


def lower_priority(niceness: int) -> None:
    """Let the processes that answer requests go first while the processors are busy.

    Linux schedules the processes of a session as one group, and a niceness counts only within it (sched(7), autogroup).
    So a process that leads a session of its own lowers the group, too. In a container the limits of its pod apply.
    """
    os.nice(niceness)
    if os.getsid(0) == os.getpid() and AUTOGROUP.exists():
        with suppress(OSError):  # not allowed here
            AUTOGROUP.write_text(str(niceness))


def serve_worker(app: FastAPI, settings: WorkerSettings) -> None:
    """Run until SIGTERM or Ctrl-C."""
    uvicorn.run(
        app,
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
        # The variables of uvicorn's command line, which the services are started with.
        ssl_certfile=os.environ.get("UVICORN_SSL_CERTFILE"),
        ssl_keyfile=os.environ.get("UVICORN_SSL_KEYFILE"),
    )
