"""The deadline of the current request: set by the middleware, read before slow calls."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from .workload import in_background

__all__ = ["time_left", "until"]

_CLOCKS: Final[ContextVar["tuple[asyncio.Timeout, ...]"]] = ContextVar("clocks", default=())


def time_left() -> float | None:
    """Seconds until the deadline, 0 if it has passed. None without one: in the background, and after the response."""
    if in_background():
        return None
    due = min((when for clock in _CLOCKS.get() if (when := clock.when()) is not None), default=None)
    return None if due is None else max(0.0, due - asyncio.get_running_loop().time())


@contextmanager
def until(clock: asyncio.Timeout) -> Iterator[None]:
    """Apply this timeout inside the block. It can only shorten an enclosing deadline, and follows rescheduling."""
    token = _CLOCKS.set((*_CLOCKS.get(), clock))
    try:
        yield
    finally:
        _CLOCKS.reset(token)
