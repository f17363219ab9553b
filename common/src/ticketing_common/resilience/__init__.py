"""Retry, circuit breaker, bulkhead and time limits for calls that leave the process, and which of them is inside which.

    retry, within a budget        again, but not for ever, and not when the caller no longer waits
      └ breaker                   not at all while nobody answers there
          └ bulkhead              not more at a time than this compartment holds
              └ time limit        of one attempt

The fallback is outermost and the caller's own: only it knows what may be answered instead.
"""

from .breaker import Breaker, CircuitOpenError
from .bulkhead import Bulkhead, BulkheadFullError
from .cancellation import cancel_and_wait
from .deadline import time_left, until
from .protection import CallRejectedError, Protection
from .retries import Retries
from .workload import background, empty_context, in_background

__all__ = [
    "Breaker",
    "Bulkhead",
    "BulkheadFullError",
    "CallRejectedError",
    "CircuitOpenError",
    "Protection",
    "Retries",
    "background",
    "cancel_and_wait",
    "empty_context",
    "in_background",
    "time_left",
    "until",
]
