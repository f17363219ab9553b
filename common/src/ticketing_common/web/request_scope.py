"""The trace of every request, and its duration by route."""

import time
from contextlib import nullcontext
from typing import Final

from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ticketing_common.headers import header_of
from ticketing_common.telemetry import is_recorded, trace_scope
from ticketing_common.telemetry.metrics import HTTP_SECONDS

from .rate_limit import rate_limit_headers
from .responses import starts_stream

__all__ = ["RequestScopeMiddleware"]

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Unknown methods share one label value to bound metric cardinality."""


class RequestScopeMiddleware:
    """Continues the caller's trace or starts one. Measures by route template, which bounds the labels."""

    def __init__(self, app: ASGIApp, *, service: str, prefix: str) -> None:
        self._app = app
        self._service = service
        self._prefix = prefix
        self._series: dict[tuple[str, str, int], Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})  # one dictionary, shared with the inner middleware
        status = 500
        began = time.perf_counter()
        answered = 0.0

        async def watch(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status = message["status"]
                if starts_stream(message):
                    answered = time.perf_counter()  # how long a stream stays open is not response time
                if limits := rate_limit_headers(scope):
                    message = {**message, "headers": [*message.get("headers", ()), *limits]}
            await send(message)

        traceparent = (header_of(scope, b"traceparent") or b"").decode("latin-1")
        try:
            # If the framework records a span, it has already continued the caller's trace, and its span is current.
            recorded = "fastapi.telemetry" in scope and is_recorded()
            with nullcontext() if recorded else trace_scope(traceparent, unrecorded=True):
                await self._app(scope, receive, watch)
        finally:
            route = self._template(scope)
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._histogram(method, route, status).observe((answered or time.perf_counter()) - began)

    def _histogram(self, method: str, route: str, status: int) -> Histogram:
        """Cached here, because the library's lookup costs as much as the count (measured); there are few series."""
        found = self._series.get((method, route, status))
        if found is None:
            found = self._series[method, route, status] = HTTP_SECONDS.labels(self._service, method, route, status)
        return found

    def _template(self, scope: Scope) -> str:
        """`/api/tickets/{id}`; the framework knows a route only relative to its router."""
        path = getattr(scope.get("route"), "path", None)
        if path is None:  # refused before routing, or no such route
            return self._prefix if self._prefix and scope["path"] == self._prefix else "unmatched"
        return f"{self._prefix}{path}" if scope["path"].startswith(self._prefix) else str(path)
