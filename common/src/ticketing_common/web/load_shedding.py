"""More than we can do is refused at once, so that what was begun is done in time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ticketing_common.errors import OverloadedError
from ticketing_common.resilience import cancel_and_wait
from ticketing_common.telemetry.metrics import EVENT_LOOP_LAG, REQUESTS_IN_FLIGHT, REQUESTS_SHED, init_series

from .responses import ends_answer, starts_stream

__all__ = ["MAX_IN_FLIGHT", "LoadSheddingMiddleware", "LoopLag"]

MAX_IN_FLIGHT: Final = 2_500
"""Concurrent requests of one replica; the next one is refused."""
PROBE_SECONDS: Final = 0.1
SMOOTHING: Final = 0.3
"""The share of the newest measurement."""
LONGEST_SECONDS: Final = 3.0
"""No measurement counts for more: one pause, however long (a process that was frozen, a laptop that slept), is over
when it is noticed, and turns nobody away; it takes two in a row to come to a second."""
RETRY_AFTER_SECONDS: Final = 1
NEVER_SHED: Final = frozenset({"/healthz", "/readyz", "/metrics"})
"""Who asks how we are must hear it above all when we are busy."""


class LoopLag:
    """How late the event loop comes to what is due (seconds, smoothed): the time that every step of a request waits."""

    def __init__(self, service: str) -> None:
        self.seconds = 0.0
        self._gauge = EVENT_LOOP_LAG.labels(service)

    @asynccontextmanager
    async def measured(self) -> AsyncIterator[None]:
        """Inside this block."""
        task = asyncio.create_task(self._measure())
        try:
            yield
        finally:
            await cancel_and_wait(task)

    async def _measure(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + PROBE_SECONDS
            await asyncio.sleep(PROBE_SECONDS)
            late = min(max(0.0, loop.time() - due), LONGEST_SECONDS)
            self.seconds += SMOOTHING * (late - self.seconds)
            self._gauge.set(self.seconds)


class LoadSheddingMiddleware:
    """Raises `OverloadedError` before anything is read or looked up. A stream counts until it has begun, not longer."""

    def __init__(self, app: ASGIApp, *, service: str, max_in_flight: int, max_lag_seconds: float, lag: LoopLag) -> None:
        """0 turns a limit off."""
        self._app = app
        self._service = service
        self._max_in_flight = max_in_flight
        self._max_lag_seconds = max_lag_seconds
        self._lag = lag
        self._in_flight = 0
        REQUESTS_IN_FLIGHT.labels(service).set_function(lambda: self._in_flight)
        init_series(REQUESTS_SHED, (service, "in_flight"), (service, "loop_lag"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        if scope["type"] != "http" or scope["path"] in NEVER_SHED:
            await self._app(scope, receive, send)
            return
        if 0 < self._max_in_flight <= self._in_flight:
            self._refuse("in_flight")
        if 0 < self._max_lag_seconds < self._lag.seconds:
            self._refuse("loop_lag")
        counted = True
        self._in_flight += 1

        async def watch(message: Message) -> None:
            nonlocal counted
            if counted and (starts_stream(message) or ends_answer(message)):
                counted = False
                self._in_flight -= 1
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            if counted:
                self._in_flight -= 1

    def _refuse(self, reason: str) -> None:
        REQUESTS_SHED.labels(self._service, reason).inc()
        raise OverloadedError("Please try again in a moment.", retry_after_seconds=RETRY_AFTER_SECONDS)
