"""Retry, circuit breaker, bulkhead and time limits for calls that leave the process, and which of them is inside which.

    retry, within a budget        again, but not for ever, and not when the caller no longer waits
      └ breaker                   not at all while nobody answers there
          └ bulkhead              not more at a time than this compartment holds
              └ time limit        of one attempt

The fallback is outermost and the caller's own: only it knows what may be answered instead.
"""

from .breaker import Breaker, CircuitOpenError
from .bulkhead import Bulkhead, BulkheadFullError
from .compartments import background, empty_context, in_background
from .deadline import time_left, until
from .endings import end
from .protection import NotAskedError, Protection
from .retries import Retries

__all__ = [
    "Breaker",
    "Bulkhead",
    "BulkheadFullError",
    "CircuitOpenError",
    "NotAskedError",
    "Protection",
    "Retries",
    "background",
    "empty_context",
    "end",
    "in_background",
    "time_left",
    "until",
]
