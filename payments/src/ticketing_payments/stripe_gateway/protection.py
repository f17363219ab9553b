"""Retries, circuit breaker, bulkhead and time limits for the calls of one workload, and their nesting.

    retry, within a budget        a limited number of attempts, within the caller's remaining time
      └ circuit breaker           no call while Stripe does not respond
          └ bulkhead              a limited number of concurrent calls of this workload
              └ time limit        for one attempt

The caller provides the fallback, outside of all of them.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
    wait_exponential_jitter,
)

from ticketing_common.resilience import time_left
from ticketing_common.telemetry import get_logger
from ticketing_common.telemetry.metrics import (
    CALL_SECONDS,
    CALLS_IN_PROGRESS,
    CALLS_REFUSED,
    CALLS_REPEATED,
    init_series,
)

from .breaker import Breaker, CallRejectedError

log = get_logger(__name__)

T = TypeVar("T")

ANSWER_SECONDS: Final = 0.25
"""Part of a request's time that is reserved for its response."""


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


@dataclass(frozen=True, slots=True)
class Retries:
    """Number of attempts, and the waits between them in seconds: doubling, plus a random part of up to one first wait.

    A wait is never shorter than the first wait. Two replicas that make the same call are each refused because of the
    other, and must not both give up before one of them succeeds.
    """

    attempts: int = 3
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 2.0

    async def run(
        self,
        name: str,
        action: Callable[[], Awaitable[T]],
        *,
        retry_if: Callable[[BaseException], bool],
        seconds: float,
    ) -> T:
        """Run `action` until it succeeds or `retry_if` rejects its error. Raises the last error unchanged.

        The error is raised at once if the next attempt could not begin within `seconds` of the first, since a pause
        without a further attempt is useless. The action must be idempotent. Only an error's type is logged, since its
        text may quote the request.
        """

        def note(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            CALLS_REPEATED.labels(name).inc()
            log.info("call retried", call=name, attempt=state.attempt_number, after=type(error).__name__)

        return await AsyncRetrying(
            stop=stop_after_attempt(self.attempts) | stop_before_delay(seconds),
            wait=wait_exponential_jitter(
                multiplier=self.first_wait_seconds, max=self.longest_wait_seconds, jitter=self.first_wait_seconds
            ),
            retry=retry_if_exception(retry_if),
            before_sleep=note,
            reraise=True,
        )(action)


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
            outcome = "failed" if self.breaker.is_failure(error) else "answered"
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
