"""What every request gets, whatever happens inside: trace, measured duration, headers, and a problem for an error."""

import time
from contextlib import nullcontext
from typing import Final

from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ticketing_common.asgi import header_of, starts_stream
from ticketing_common.telemetry import is_recorded, trace_scope
from ticketing_common.telemetry.metrics import HTTP_SECONDS

from .error_handlers import response_to
from .rate_limit import rate_limit_headers

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Unknown methods share one label value to bound metric cardinality."""

_SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    # A route with a cacheable response sets its own value.
    (b"cache-control", b"no-store"),
)
"""As listed in the OWASP REST Security Cheat Sheet ("Security Headers")."""
_TRANSPORT: Final = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
"""A year, with all subdomains (RFC 6797; OWASP ASVS 5.0, V3.4.1), as the client's server sets it."""


def security_headers(*, behind_tls: bool) -> tuple[tuple[bytes, bytes], ...]:
    """The security and caching headers; Strict-Transport-Security only for a service that is reached by TLS."""
    return (*_SECURITY_HEADERS, _TRANSPORT) if behind_tls else _SECURITY_HEADERS


class RequestScopeMiddleware:
    """The outermost layer, so it covers the responses of all other layers.

    It continues the caller's trace or starts one, and measures by route template, which bounds the labels. It adds each
    security header that the response does not have, and the state of the rate limits that were checked. Every exception
    becomes a problem response without internal details.
    """

    def __init__(self, app: ASGIApp, *, service: str, prefix: str = "", behind_tls: bool) -> None:
        self._app = app
        self._service = service
        self._prefix = prefix
        self._headers = security_headers(behind_tls=behind_tls)
        self._series: dict[tuple[str, str, int], Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})  # one dictionary, shared with the inner middleware
        status = 0
        began = time.perf_counter()
        answered = 0.0

        async def watch(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status = message["status"]
                if starts_stream(message):
                    answered = time.perf_counter()  # how long a stream stays open is not response time
                headers = [*message.get("headers", ()), *rate_limit_headers(scope)]
                present = {name.lower() for name, _ in headers}
                headers += [header for header in self._headers if header[0] not in present]
                message = {**message, "headers": headers}
            await send(message)

        traceparent = (header_of(scope, b"traceparent") or b"").decode("latin-1")
        # If the framework records a span, it has already continued the caller's trace, and its span is current.
        recorded = "fastapi.telemetry" in scope and is_recorded()
        try:
            with nullcontext() if recorded else trace_scope(traceparent, unrecorded=True):
                try:
                    await self._app(scope, receive, watch)
                except Exception as error:
                    if status:  # the response has begun
                        raise
                    await response_to(error, scope)(scope, receive, watch)
        finally:
            route = self._template(scope)
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._histogram(method, route, status or 500).observe((answered or time.perf_counter()) - began)

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
