"""A circuit breaker: whoever has not answered so many times in a row is left alone for a while."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from circuitbreaker import STATE_CLOSED, STATE_HALF_OPEN, STATE_OPEN, CircuitBreaker

from ticketing_common.telemetry import get_logger
from ticketing_common.telemetry.metrics import CALLS_REFUSED, CIRCUIT_STATE, init_series

from .rejection import CallRejectedError

__all__ = ["Breaker", "CircuitOpenError"]

log = get_logger(__name__)

_LEVELS: Final = {STATE_CLOSED: 0.0, STATE_HALF_OPEN: 0.5, STATE_OPEN: 1.0}


class CircuitOpenError(CallRejectedError):
    """The circuit is open: the last calls all failed, and the next try is not due yet."""


class Breaker:
    """Counts and times by the `circuitbreaker` library; what it lacks is added here (decision 0008).

    * Half open means one call. The library lets all through that wait for the moment, which is the crowd that the other
      side, just up again, can least use.
    * What began before it opened is no news, however it ends. The library begins the wait anew with each that fails, so
      that a crowd that hangs keeps the circuit open when the other side is back (seen with 48 payments).
    * A call that was cancelled, or not made for want of a place, says nothing about the other side. The library takes
      it for an answer, and closes.
    """

    def __init__(
        self, name: str, *, failures: int, open_seconds: float, is_failure: Callable[[BaseException], bool]
    ) -> None:
        """Opens after so many `failures` in a row, those for which `is_failure` says so; any other end is an answer."""
        self.name = name
        self._circuit = CircuitBreaker(
            failure_threshold=failures,
            recovery_timeout=open_seconds,
            expected_exception=lambda _kind, error: is_failure(error),
            name=name,
        )
        self._probing = False
        self._openings = 0
        self._told = STATE_CLOSED
        self._is_failure = is_failure
        CIRCUIT_STATE.labels(name).set(0)
        init_series(CALLS_REFUSED, (name, "circuit_open"))

    @property
    def is_open(self) -> bool:
        """Whether calls are refused now."""
        return bool(self._circuit.opened)

    def counts(self, error: BaseException) -> bool:
        """Whether this says that the other side does not answer."""
        return self._is_failure(error)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Around one call. Raises `CircuitOpenError` instead of making it."""
        if self._circuit.opened:
            self._refuse(max(1, int(self._circuit.open_remaining)))
        probing = self._circuit.state == STATE_HALF_OPEN
        if probing:
            if self._probing:
                self._refuse(1)
            self._probing = True
            self._tell(STATE_HALF_OPEN)
        era = self._openings
        try:
            yield
        except (asyncio.CancelledError, CallRejectedError):
            raise
        except BaseException as error:
            self._learn(error, era)
            raise
        else:
            self._learn(None, era)
        finally:
            if probing:
                self._probing = False
            self._tell(self._circuit.state)

    def _learn(self, error: BaseException | None, era: int) -> None:
        if era != self._openings:
            return
        self._circuit.__exit__(type(error) if error else None, error, None)
        if self._circuit.opened:
            self._openings += 1

    def _refuse(self, seconds: int) -> None:
        CALLS_REFUSED.labels(self.name, "circuit_open").inc()
        raise CircuitOpenError(f"{self.name} does not answer; next try in {seconds} s.", retry_after_seconds=seconds)

    def _tell(self, state: str) -> None:
        CIRCUIT_STATE.labels(self.name).set(_LEVELS[state])
        if state != self._told:
            self._told = state
            log.warning("circuit changes", circuit=self.name, state=state)
