"""Trying again: a few times, each a little later and not at the same moment as everybody else, within a budget."""

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

__all__ = ["Retries"]

log = get_logger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Retries:
    """How often, and how long between two attempts (seconds): doubling, and up to one first wait more, by chance.

    Never less than the first wait: two replicas that ask the same are each told to wait for the other, and must not
    both have given up before one of them is through.
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
        """Do it until it succeeds or `again` says no to its error; the last error is raised as it is.

        It is raised at once when the next attempt could not begin within `seconds` of the first: nobody is made to
        wait for a pause with nothing behind it.
        The action must bear being done twice. Of an error only its kind is logged: its text may quote what was sent.
        """

        def note(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            CALLS_REPEATED.labels(name).inc()
            log.info("call is repeated", call=name, attempt=state.attempt_number, after=type(error).__name__)

        return await AsyncRetrying(
            stop=stop_after_attempt(self.attempts) | stop_before_delay(seconds),
            wait=wait_exponential_jitter(
                multiplier=self.first_wait_seconds, max=self.longest_wait_seconds, jitter=self.first_wait_seconds
            ),
            retry=retry_if_exception(retry_if),
            before_sleep=note,
            reraise=True,
        )(action)
