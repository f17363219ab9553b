"""A circuit breaker: after repeated failures it refuses calls to a dependency for a while."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from circuitbreaker import STATE_CLOSED, STATE_HALF_OPEN, STATE_OPEN, CircuitBreaker

from ticketing_common.telemetry import get_logger
from ticketing_common.telemetry.metrics import CALLS_REFUSED, CIRCUIT_STATE, init_series

log = get_logger(__name__)

_LEVELS: Final = {STATE_CLOSED: 0.0, STATE_HALF_OPEN: 0.5, STATE_OPEN: 1.0}


class CallRejectedError(Exception):
    """The call was not made, so it had no effect. A retry makes sense after `retry_after_seconds`."""

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message)


class CircuitOpenError(CallRejectedError):
    """The circuit is open: the last calls failed, and the next try is not due yet."""


class Breaker:
    """Uses the `circuitbreaker` library for states and times, and adds three rules (decision 0008).

    * Half open allows one call. The library allows all waiting calls at once, which overloads a dependency that has
      just come back.
    * The result of a call that started before the circuit opened is ignored. The library restarts the open time at each
      late failure, so many hanging calls keep the circuit open after the dependency is back (seen with 48 payments).
    * A cancelled call, or one that the bulkhead refused, counts neither as success nor as failure. The library counts
      it as a success and closes.
    """

    def __init__(
        self, name: str, *, failures: int, open_seconds: float, is_failure: Callable[[BaseException], bool]
    ) -> None:
        """Open after `failures` consecutive errors for which `is_failure` is true, for `open_seconds` seconds."""
        self.name = name
        self._circuit = CircuitBreaker(
            failure_threshold=failures,
            recovery_timeout=open_seconds,
            expected_exception=lambda _kind, error: is_failure(error),
            name=name,
        )
        self._probing = False
        self._openings = 0
        self._reported = STATE_CLOSED
        self.is_failure = is_failure
        """Whether an error means that the dependency does not respond."""
        CIRCUIT_STATE.labels(name).set(0)
        init_series(CALLS_REFUSED, (name, "circuit_open"))

    @property
    def is_open(self) -> bool:
        """Whether calls are refused now."""
        return bool(self._circuit.opened)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Guards one call in the block. Raises `CircuitOpenError` before it if the circuit is open."""
        if self._circuit.opened:
            self._refuse(max(1, int(self._circuit.open_remaining)))
        probing = self._circuit.state == STATE_HALF_OPEN
        if probing:
            if self._probing:
                self._refuse(1)
            self._probing = True
            self._report(STATE_HALF_OPEN)
        openings = self._openings
        try:
            yield
        except (asyncio.CancelledError, CallRejectedError):
            raise
        except BaseException as error:
            self._record(error, openings)
            raise
        else:
            self._record(None, openings)
        finally:
            if probing:
                self._probing = False
            self._report(self._circuit.state)

    def _record(self, error: BaseException | None, openings: int) -> None:
        if openings != self._openings:
            return
        self._circuit.__exit__(type(error) if error else None, error, None)
        if self._circuit.opened:
            self._openings += 1

    def _refuse(self, seconds: int) -> None:
        CALLS_REFUSED.labels(self.name, "circuit_open").inc()
        raise CircuitOpenError(f"{self.name} does not respond; next try in {seconds} s.", retry_after_seconds=seconds)

    def _report(self, state: str) -> None:
        CIRCUIT_STATE.labels(self.name).set(_LEVELS[state])
        if state != self._reported:
            self._reported = state
            log.warning("circuit state changed", circuit=self.name, state=state)
