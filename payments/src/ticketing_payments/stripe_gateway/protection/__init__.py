"""Retry, circuit breaker, bulkhead and time limits for calls to Stripe, and which of them is inside which.

    retry, within a budget        again, but not for ever, and not when the caller no longer waits
      └ breaker                   not at all while Stripe does not answer
          └ bulkhead              at most so many concurrent calls of this workload
              └ time limit        of one attempt

The fallback is outermost and the caller's own: only it knows what may be answered instead.
"""

from .breaker import Breaker, CircuitOpenError
from .bulkhead import Bulkhead, BulkheadFullError
from .protected_call import Protection
from .rejection import CallRejectedError
from .retries import Retries

__all__ = [
    "Breaker",
    "Bulkhead",
    "BulkheadFullError",
    "CallRejectedError",
    "CircuitOpenError",
    "Protection",
    "Retries",
]
