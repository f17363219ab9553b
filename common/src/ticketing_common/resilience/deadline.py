"""How long whoever waits for this will go on waiting: set where a request comes in, asked where a slow call begins."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from .workload import in_background

__all__ = ["time_left", "until"]

_CLOCKS: Final[ContextVar["tuple[asyncio.Timeout, ...]"]] = ContextVar("clocks", default=())


def time_left() -> float | None:
    """Seconds, 0 when they are spent; None where nobody waits: in the background, and after the answer is out."""
    if in_background():
        return None
    due = min((when for clock in _CLOCKS.get() if (when := clock.when()) is not None), default=None)
    return None if due is None else max(0.0, due - asyncio.get_running_loop().time())


@contextmanager
def until(clock: asyncio.Timeout) -> Iterator[None]:
    """What is done inside has the time of this clock, also while it is set anew, and no more than it had already."""
    token = _CLOCKS.set((*_CLOCKS.get(), clock))
    try:
        yield
    finally:
        _CLOCKS.reset(token)
