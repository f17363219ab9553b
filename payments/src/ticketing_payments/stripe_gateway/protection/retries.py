"""Retries: a few attempts with exponential backoff and jitter, within a budget."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
    wait_exponential_jitter,
)

from ticketing_common.telemetry import get_logger
from ticketing_common.telemetry.metrics import CALLS_REPEATED

log = get_logger(__name__)

T = TypeVar("T")


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
