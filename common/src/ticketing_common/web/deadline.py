"""Request deadlines: work that is still running for a request at its deadline is cancelled."""

import asyncio
import math
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ticketing_common.asgi import ends_answer, header_of, starts_stream
from ticketing_common.errors import DeadlineError
from ticketing_common.resilience import limited_by

CLIENT_TIMEOUT_HEADER: Final = b"x-envoy-expected-rq-timeout-ms"
"""The caller's timeout, sent by Envoy and by our own pages. Any caller can send it, so it only shortens that caller's
own request: this middleware is outside of every one that stores how requests ended."""
MIN_CLIENT_TIMEOUT_SECONDS: Final = 0.05
"""A shorter timeout leaves no time to answer, and would let callers start work only to discard it."""


class DeadlineMiddleware:
    """Raises `DeadlineError` if the response is not complete in time.

    The deadline ends with the response, so background work of a route is not cut short, and when a stream begins.
    Cancelling drops queued database operations, and ends running reads (`storage.reading`). Running writes continue to
    their end or the driver's limit.

    For reads, a shorter client timeout header shortens the deadline; writes ignore it, because the caller wants to know
    their result. `time_left()` passes the deadline on to outgoing calls.
    """

    def __init__(self, app: ASGIApp, *, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seconds = min(self._seconds, _client_timeout(scope))
        try:
            async with asyncio.timeout(seconds) as clock:

                async def watch(message: Message) -> None:
                    if starts_stream(message) or ends_answer(message):
                        clock.reschedule(None)
                    await send(message)

                with limited_by(clock):
                    await self._app(scope, receive, watch)
        except TimeoutError:
            if not clock.expired():
                raise
            raise DeadlineError(f"No answer within {seconds:g} s. Please try again.") from None


def _client_timeout(scope: Scope) -> float:
    """Seconds that the caller waits; infinity without the header, or if the request is a write."""
    header = (
        header_of(scope, CLIENT_TIMEOUT_HEADER) if scope["method"] == "GET" else None
    )  # `RoutingMiddleware` makes HEAD a GET
    if not (header and header.isdigit() and len(header) < 10):
        return math.inf
    return max(int(header) / 1000, MIN_CLIENT_TIMEOUT_SECONDS)
