"""Slower, please: a moving window per caller, kept in this replica's memory."""

import math
import time
from typing import Annotated, TypeAlias

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from pydantic import AfterValidator

from ticketing_common.errors import TooManyRequestsError

__all__ = ["RateLimit", "RateLimiter"]


def _check(value: str) -> str:
    if value != "off":
        parse(value)
    return value


RateLimit: TypeAlias = Annotated[str, AfterValidator(_check)]
"""A setting such as `10/minute`, or `off`."""


class RateLimiter:
    """Counts per key, and refuses above the limit.

    In memory, so each of N replicas allows the full rate: a limit against guessing and flooding, not an accountant.
    """

    def __init__(self, limit: str, *, name: str) -> None:
        self._item: RateLimitItem | None = None if limit == "off" else parse(limit)
        self._name = name
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def check(self, *keys: str) -> None:
        """Count one use; raises `TooManyRequestsError` with the seconds until the next is allowed."""
        if self._item is None or await self._limiter.hit(self._item, self._name, *keys):
            return
        stats = await self._limiter.get_window_stats(self._item, self._name, *keys)
        wait = max(1, math.ceil(stats.reset_time - time.time()))
        raise TooManyRequestsError(f"Try again in {wait} s.", retry_after_seconds=wait)
