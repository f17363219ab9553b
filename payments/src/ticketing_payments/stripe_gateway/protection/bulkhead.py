"""A bulkhead: so many calls at a time from one compartment, and no more, so that a slow neighbour floods only that."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ticketing_common.telemetry.metrics import CALLS_IN_PROGRESS, CALLS_REFUSED, init_series

from .rejection import CallRejectedError

__all__ = ["Bulkhead", "BulkheadFullError"]


class BulkheadFullError(CallRejectedError):
    """All places are taken, and none became free in time."""


class Bulkhead:
    """A number of places; whoever finds them taken waits in line for a short while."""

    def __init__(self, name: str, *, max_concurrency: int, wait_seconds: float) -> None:
        self.name = name
        self._slots = asyncio.Semaphore(max_concurrency)
        self._wait_seconds = wait_seconds
        init_series(CALLS_REFUSED, (name, "bulkhead_full"))
        CALLS_IN_PROGRESS.labels(name)  # reported as 0 before the first call, too

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Around one call. Raises `BulkheadFullError` instead of making it."""
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._slots.acquire()
        except TimeoutError:
            CALLS_REFUSED.labels(self.name, "bulkhead_full").inc()
            raise BulkheadFullError(f"{self.name}: too many calls wait already.", retry_after_seconds=1) from None
        CALLS_IN_PROGRESS.labels(self.name).inc()
        try:
            yield
        finally:
            CALLS_IN_PROGRESS.labels(self.name).dec()
            self._slots.release()
