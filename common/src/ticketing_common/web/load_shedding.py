"""Load shedding: refuses requests at once while the replica is overloaded, so that started ones finish in time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ticketing_common.asgi import ends_answer, starts_stream
from ticketing_common.errors import OverloadedError
from ticketing_common.resilience import cancel_and_wait
from ticketing_common.telemetry.metrics import EVENT_LOOP_LAG, REQUESTS_IN_FLIGHT, REQUESTS_SHED, init_series

from .health import PROBES

MAX_IN_FLIGHT: Final = 2_500
"""Concurrent requests of one replica; the next one is refused."""
PROBE_SECONDS: Final = 0.1
SMOOTHING: Final = 0.3
"""The weight of the newest measurement."""
LONGEST_SECONDS: Final = 3.0
"""The maximum of one measurement. A single pause (a frozen process, a sleeping laptop) is over when it is measured, and
must not shed requests; two in a row are needed to reach one second."""
RETRY_AFTER_SECONDS: Final = 1


class LoopLag:
    """The event loop's delay (seconds, smoothed): how long every step of a request waits."""

    def __init__(self, service: str) -> None:
        self.seconds = 0.0
        self._gauge = EVENT_LOOP_LAG.labels(service)

    @asynccontextmanager
    async def measured(self) -> AsyncIterator[None]:
        """Measure inside this block."""
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
    """Raises `OverloadedError` before any work. A stream counts as in flight only until it has begun."""

    def __init__(self, app: ASGIApp, *, service: str, max_in_flight: int, max_lag_seconds: float, lag: LoopLag) -> None:
        """A limit of 0 is disabled."""
        self._app = app
        self._service = service
        self._max_in_flight = max_in_flight
        self._max_lag_seconds = max_lag_seconds
        self._lag = lag
        self._in_flight = 0
        REQUESTS_IN_FLIGHT.labels(service).set_function(lambda: self._in_flight)
        init_series(REQUESTS_SHED, (service, "in_flight"), (service, "loop_lag"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PROBES:
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
