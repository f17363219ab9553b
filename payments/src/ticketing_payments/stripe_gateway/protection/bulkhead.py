"""A bulkhead: limits the concurrent calls of one workload, so that slow calls do not block other workloads."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ticketing_common.telemetry.metrics import CALLS_IN_PROGRESS, CALLS_REFUSED, init_series

from .rejection import CallRejectedError


class BulkheadFullError(CallRejectedError):
    """All slots are in use, and none became free in time."""


class Bulkhead:
    """Limits concurrent calls to `max_concurrency`. A further call waits up to `wait_seconds` for a free slot."""

    def __init__(self, name: str, *, max_concurrency: int, wait_seconds: float) -> None:
        self.name = name
        self._slots = asyncio.Semaphore(max_concurrency)
        self._wait_seconds = wait_seconds
        init_series(CALLS_REFUSED, (name, "bulkhead_full"))
        CALLS_IN_PROGRESS.labels(name)  # so that it is reported as 0 before the first call

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Holds a slot for one call in the block. Raises `BulkheadFullError` before it if none becomes free."""
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._slots.acquire()
        except TimeoutError:
            CALLS_REFUSED.labels(self.name, "bulkhead_full").inc()
            raise BulkheadFullError(f"{self.name}: too many concurrent calls.", retry_after_seconds=1) from None
        CALLS_IN_PROGRESS.labels(self.name).inc()
        try:
            yield
        finally:
            CALLS_IN_PROGRESS.labels(self.name).dec()
            self._slots.release()
