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

PATIENCE_HEADER: Final = b"x-envoy-expected-rq-timeout-ms"
"""How long the caller waits: Envoy says so to whoever stands behind it, and our own pages do."""
READING: Final = frozenset({"GET", "HEAD"})


class DeadlineMiddleware:
    """Raises `DeadlineError` when no answer was complete in time.

    The clock stops when the answer is out, so what a route does afterwards is not cut short, and when a stream begins.
    A query that is cancelled leaves its line if it has not begun. At the database what is read ends, too
    (`storage.reading`); what is written goes on until it is done, or until the driver's own limit.

    Deadlines travel: whoever asks to read and says that he waits less long is not worked for any longer (what changes
    something goes on: its caller will want to know), and `time_left()` tells those who call others how long that is.
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
    """Seconds that the caller waits; infinity when he does not say, or asks for more than to be told something."""
    told = header_of(scope, PATIENCE_HEADER) if scope["method"] in READING else None
    return int(told) / 1000 if told and told.isdigit() and len(told) < 10 else math.inf
