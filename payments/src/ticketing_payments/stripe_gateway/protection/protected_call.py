"""The pieces put together, for calls to one other side from one compartment of ours."""

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

__all__ = ["Protection"]

T = TypeVar("T")

ANSWER_SECONDS: Final = 0.25
"""Of a request's time, kept for telling its caller what became of the call."""


@dataclass(frozen=True)
class Protection:
    """Breakers are shared by all who ask the same side, bulkheads by those who may hinder one another.

    `attempt_seconds` limits one attempt, `budget_seconds` the whole: attempts, waits and standing in line. For a
    request that has less time than that, its time is the budget.
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
        """Do it under all of them; `again` says which errors are worth another attempt.

        Raises `CallRejectedError` when it made no call (open circuit, no slot, no time left), TimeoutError when the
        answer did not come in time (what was asked may have happened), and the action's own errors. A refusal to ask is
        not repeated here: it is there to be quick.
        """

        asked: BaseException | None = None
        refused = False

        async def attempt() -> T:
            nonlocal asked, refused
            try:
                with self.breaker.watching():
                    async with self.bulkhead.slot():
                        with self._measured():
                            async with asyncio.timeout(self.attempt_seconds):
                                return await action()
            except CallRejectedError:
                refused = True
                if asked is not None:
                    raise asked from None  # an earlier attempt was made: what became of it is not known
                raise
            except Exception as error:
                asked = error
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
            raise CallRejectedError(f"{self.breaker.name}: the request's time is spent.", retry_after_seconds=1)
        return min(self.budget_seconds, left - ANSWER_SECONDS)
