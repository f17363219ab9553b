"""A request has a budget of time; what is still under way for it when that is spent is cancelled."""

import asyncio
import math
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ticketing_common.errors import DeadlineError
from ticketing_common.headers import header_of
from ticketing_common.resilience import until

from .responses import ends_answer, starts_stream

__all__ = ["DeadlineMiddleware"]

CLIENT_TIMEOUT_HEADER: Final = b"x-envoy-expected-rq-timeout-ms"
"""How long the caller waits: Envoy tells the services behind it, and our own pages do. Any caller can send it, so it
shortens that caller's own request and decides nothing else: this middleware is outside of every one that remembers how
requests ended."""
MIN_CLIENT_TIMEOUT_SECONDS: Final = 0.05
"""Less is no time to answer in, and would be a way to have work begun and thrown away."""
READING: Final = frozenset({"GET", "HEAD"})


class DeadlineMiddleware:
    """Raises `DeadlineError` when no answer was complete in time.

    The clock stops when the answer is out, so what a route does afterwards is not cut short, and when a stream begins.
    A query that is cancelled leaves its line if it has not begun. At the database what is read ends, too
    (`storage.reading`); what is written goes on until it is done, or until the driver's own limit.

    Deadlines travel: a request to read whose caller waits less long ends when the caller stops waiting (a change goes
    on, since its caller will want to know the result), and `time_left()` tells calls to others how long that is.
    """

    def __init__(self, app: ASGIApp, *, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seconds = min(self._seconds, _patience(scope))
        try:
            async with asyncio.timeout(seconds) as clock:

                async def watch(message: Message) -> None:
                    if starts_stream(message) or ends_answer(message):
                        clock.reschedule(None)
                    await send(message)

                with until(clock):
                    await self._app(scope, receive, watch)
        except TimeoutError:
            if not clock.expired():
                raise
            raise DeadlineError(f"No answer within {seconds:g} s. Please try again.") from None


def _patience(scope: Scope) -> float:
    """Seconds that the caller waits; infinity when it does not say, or when the request may change something."""
    told = header_of(scope, CLIENT_TIMEOUT_HEADER) if scope["method"] in READING else None
    if not (told and told.isdigit() and len(told) < 10):
        return math.inf
    return max(int(told) / 1000, MIN_CLIENT_TIMEOUT_SECONDS)
