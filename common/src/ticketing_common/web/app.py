"""The factory of all five services' applications."""

import gc
import importlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig
from starlette.middleware import Middleware
from starlette.types import Scope

from ticketing_common.asgi import header_of
from ticketing_common.delivery import ServiceRuntime, revocation_reader
from ticketing_common.security import (
    AUDIENCE,
    AuthenticationMiddleware,
    OriginCheck,
    SessionReader,
    SessionRevocations,
    TokenVerifier,
)
from ticketing_common.settings import EventServiceSettings, ServiceSettings
from ticketing_common.storage import IdempotencyKeys
from ticketing_common.telemetry import configure_logging, init_security_series, recording_provider

from .change_counter import ChangeCounter
from .deadline import DeadlineMiddleware
from .docs_page import add_docs_page
from .early_answers import EarlyAnswer, EarlyAnswerMiddleware
from .error_handlers import Problem, add_error_handlers
from .health import PROBES
from .health import router as health_router
from .load_shedding import MAX_IN_FLIGHT, LoadSheddingMiddleware, LoopLag
from .request_bodies import MAX_BODIES_BYTES, MAX_BODY_BYTES, RequestBodyMiddleware
from .request_scope import RequestScopeMiddleware
from .response_cache import ResponseCache, ResponseCacheMiddleware, cached_paths
from .routing import RoutingMiddleware
from .wrapped_routes import ServiceRouter

Assemble = Callable[[FastAPI, ServiceRuntime], AbstractAsyncContextManager[None]]
"""Creates a service's parts inside the running event loop: repositories, use cases (in `app.state`), subscriptions."""


def create_service_app(
    settings: ServiceSettings,
    *,
    title: str,
    assemble: Assemble,
    routers: Sequence[ServiceRouter] = (),
    prefix: str | None = None,
    publishes: str | None = None,
    changes: ChangeCounter | None = None,
    early_answers: Mapping[tuple[str, str], EarlyAnswer] | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
    ready_without_bus: bool = False,
) -> FastAPI:
    """A service: health, metrics, problem+json, authentication, limits, documentation, start and graceful shutdown.

    `publishes` is the stream that the service owns. `prefix` is the path of its public routes and its OpenAPI document;
    without a prefix it has neither. With a prefix and an event bus it refuses ended sessions (`SessionRevocations`).
    `changes` invalidates the responses of `cached` routes. `early_answers` by method and relative path come before all
    other work (`EarlyAnswerMiddleware`). A request body longer than `max_body_bytes` is a 413.
    `ready_without_bus`: see `ServiceRuntime`.

    Middleware concerns every request. What concerns one route is declared at that route (`wrapped_routes.py`).
    """
    configure_telemetry(settings)
    init_security_series()
    changes = changes or ChangeCounter()
    caches = {path: ResponseCache(changes) for path in cached_paths(routers)}
    lag = LoopLag(settings.service_name)
    revocations = SessionRevocations()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        runtime = ServiceRuntime(
            settings, publishes=publishes, revocations=revocations, ready_without_bus=ready_without_bus
        )
        if prefix and isinstance(settings, EventServiceSettings):
            runtime.follow(revocation_reader(runtime.bus, revocations, service=settings.service_name))
        app.state.runtime = runtime
        app.state.idempotency_keys = IdempotencyKeys(runtime.collection("idempotency_keys"))
        runtime.add_stores(app.state.idempotency_keys)
        async with assemble(app, runtime), lag.measured():
            if settings.gc_freeze:
                gc.collect()
                gc.freeze()
            runtime.start()
            try:
                yield
            finally:
                await runtime.stop()

    origins = OriginCheck(allowed_origins=settings.allowed_origins, cookie_names=settings.session_cookies)
    sessions = SessionReader(
        verifier=TokenVerifier(settings.jwt_public_keys, issuer=settings.jwt_issuer, audience=AUDIENCE),
        cookie_names=settings.session_cookies,
        revocations=revocations,
    )
    app = FastAPI(
        title=title,
        version="1",
        lifespan=lifespan,
        openapi_url=f"{prefix}/openapi.json" if prefix else None,
        docs_url=None,  # served below, from our own files
        redoc_url=None,
        redirect_slashes=False,
        telemetry=_telemetry(),
        responses={"4XX": {"model": Problem, "description": "RFC 9457 problem details"}},
        generate_unique_id_function=_operation_id,
        # Outermost first. The first one renders errors that are raised inside it.
        middleware=[
            Middleware(
                RequestScopeMiddleware,
                service=settings.service_name,
                prefix=prefix or "",
                behind_tls=settings.cookie_secure,
            ),
            Middleware(
                EarlyAnswerMiddleware,
                prefix=prefix or "",
                answers={**{("GET", path): cache.early for path, cache in caches.items()}, **(early_answers or {})},
                origins=origins,
                sessions=sessions,
            ),
            Middleware(RoutingMiddleware),
            Middleware(DeadlineMiddleware, seconds=settings.request_seconds),
            *(
                Middleware(
                    ResponseCacheMiddleware, service=settings.service_name, path=f"{prefix or ''}{path}", cache=cache
                )
                for path, cache in caches.items()
            ),
            Middleware(RequestBodyMiddleware, max_bytes=max_body_bytes, max_total_bytes=MAX_BODIES_BYTES),
            Middleware(
                LoadSheddingMiddleware,
                service=settings.service_name,
                max_in_flight=MAX_IN_FLIGHT,
                max_lag_seconds=settings.max_loop_lag_seconds,
                lag=lag,
            ),
            Middleware(AuthenticationMiddleware, origins=origins, sessions=sessions),
        ],
    )
    app.state.prefix = prefix or ""
    add_error_handlers(app)
    if prefix:
        add_docs_page(app, prefix=prefix)
    for router in routers:
        app.include_router(router, prefix=prefix or "")
    app.include_router(health_router)  # last: routers are matched in order
    return app


def configure_telemetry(settings: ServiceSettings) -> None:
    """Configure logs, and traces if they have an exporter; otherwise the tracing modules are not even imported."""
    configure_logging(service=settings.service_name, level=settings.log_level)
    if settings.otel_traces_exporter != "none" and recording_provider() is None:
        tracing = importlib.import_module("ticketing_common.telemetry.trace_recording")
        tracing.start_tracing(service=settings.service_name, exporter=settings.otel_traces_exporter)


def _telemetry() -> TelemetryConfig:
    """The framework's own spans: one per request, none for probes. We make metrics and logs ourselves."""
    provider = recording_provider()
    left_out: Callable[[Scope], bool] | None = None
    if provider is not None:
        is_wanted = importlib.import_module("ticketing_common.telemetry.trace_recording").is_wanted

        def left_out(scope: Scope) -> bool:
            if scope["path"] in PROBES:
                return True
            sent = header_of(scope, b"traceparent") or b""
            return not is_wanted(provider, scope["method"], sent.decode("latin-1"))

    return {
        "tracing": provider is not None,
        "tracer_provider": provider,
        "operation_spans": False,
        "metrics": False,
        "logs": False,
        "exclude": left_out,
    }


def _operation_id(route: APIRoute) -> str:
    """The function's name, for example `create_order`: the operation's name in generated clients."""
    return route.name
