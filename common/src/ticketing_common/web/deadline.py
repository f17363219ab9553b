"""A request has a budget of time; what is still under way for it when that is spent is cancelled."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ticketing_common.errors import DeadlineError

from .responses import ends_answer, starts_stream

__all__ = ["DeadlineMiddleware"]


class DeadlineMiddleware:
    """Raises `DeadlineError` when no answer was complete in time.

    The clock stops when the answer is out, so what a route does afterwards is not cut short, and when a stream begins.
    A query that is cancelled leaves its line if it has not begun; one at the database ends by the driver's own limit.
    """

    def __init__(self, app: ASGIApp, *, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._seconds) as clock:

                async def watch(message: Message) -> None:
                    if starts_stream(message) or ends_answer(message):
                        clock.reschedule(None)
                    await send(message)

                await self._app(scope, receive, watch)
        except TimeoutError:
            if not clock.expired():
                raise
            raise DeadlineError(f"No answer within {self._seconds:g} s. Please try again.") from None
