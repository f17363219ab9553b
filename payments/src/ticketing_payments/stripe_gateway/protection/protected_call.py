"""Combines circuit breaker, bulkhead, retries and time limits for the calls of one workload to one dependency."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from ticketing_common.resilience import time_left
from ticketing_common.telemetry.metrics import CALL_SECONDS, CALLS_REFUSED, CALLS_REPEATED, init_series

from .breaker import Breaker
from .bulkhead import Bulkhead
from .rejection import CallRejectedError
from .retries import Retries

T = TypeVar("T")

ANSWER_SECONDS: Final = 0.25
"""Part of a request's time that is reserved for its response."""


@dataclass(frozen=True)
class Protection:
    """Workloads that call the same dependency share its breaker; each workload has its own bulkhead.

    `attempt_seconds` limits one attempt. `budget_seconds` limits the whole call: attempts, pauses between them, and the
    wait for a slot. A request's remaining time replaces the budget if it is shorter.
    """

    breaker: Breaker
    bulkhead: Bulkhead
    retries: Retries
    attempt_seconds: float
    budget_seconds: float

    def __post_init__(self) -> None:
        init_series(CALLS_REPEATED, (self.breaker.name,))
        init_series(CALLS_REFUSED, (self.breaker.name, "no_time_left"))

    async def call(self, action: Callable[[], Awaitable[T]], *, retry_if: Callable[[BaseException], bool]) -> T:
        """Run `action` under protection. `retry_if` says which of its errors are retried.

        Raises `CallRejectedError` if no call was made (open circuit, no slot, no time left), `TimeoutError` if no
        response came in time (the call may have taken effect), and the action's own errors. A rejection is not retried,
        so that it is fast.
        """

        earlier_error: BaseException | None = None
        refused = False

        async def attempt() -> T:
            nonlocal earlier_error, refused
            try:
                with self.breaker.watching():
                    async with self.bulkhead.slot():
                        with self._measured():
                            async with asyncio.timeout(self.attempt_seconds):
                                return await action()
            except CallRejectedError:
                refused = True
                if earlier_error is not None:
                    raise earlier_error from None  # an earlier attempt was made, and its outcome is unknown
                raise
            except Exception as error:
                earlier_error = error
                raise

        def is_retryable(error: BaseException) -> bool:
            return not refused and (isinstance(error, TimeoutError) or retry_if(error))

        budget = self._budget()
        async with asyncio.timeout(budget):
            return await self.retries.run(self.breaker.name, attempt, retry_if=is_retryable, seconds=budget)

    @contextmanager
    def _measured(self) -> Iterator[None]:
        begun, outcome = time.perf_counter(), "answered"
        try:
            yield
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        except BaseException as error:
            outcome = "failed" if self.breaker.counts(error) else "answered"
            raise
        finally:
            CALL_SECONDS.labels(self.breaker.name, outcome).observe(time.perf_counter() - begun)

    def _budget(self) -> float:
        left = time_left()
        if left is None:
            return self.budget_seconds
        if left <= ANSWER_SECONDS:
            CALLS_REFUSED.labels(self.breaker.name, "no_time_left").inc()
            raise CallRejectedError(f"{self.breaker.name}: the request has no time left.", retry_after_seconds=1)
        return min(self.budget_seconds, left - ANSWER_SECONDS)
