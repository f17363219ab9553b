"""Retry, circuit breaker, bulkhead and time limits for calls to Stripe, and their nesting.

    retry, within a budget        a limited number of attempts, within the caller's remaining time
      └ circuit breaker           no call while Stripe does not respond
          └ bulkhead              a limited number of concurrent calls of this workload
              └ time limit        for one attempt

The caller provides the fallback, outside of all of them.
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
