"""Polls for a condition that has no notification. The limits allow for a machine that stalls; a wait ends earlier."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Final, TypeAlias

LIMIT_SECONDS: Final = 120.0
SAMPLE_SECONDS: Final = 0.05
Why: TypeAlias = Callable[[], object]
"""What the error says."""


def wait_until(condition: Callable[[], object], seconds: float = LIMIT_SECONDS, *, why: Why = str) -> None:
    """Return when the condition is true; raises TimeoutError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(why())
        time.sleep(SAMPLE_SECONDS)


async def until(condition: Callable[[], object], seconds: float = LIMIT_SECONDS, *, why: Why = str) -> None:
    """The same while other tasks run. The condition may be a coroutine function; it is cancelled after `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                result = condition()
                if await result if inspect.isawaitable(result) else result:
                    return
                await asyncio.sleep(SAMPLE_SECONDS)
    except TimeoutError as error:
        raise TimeoutError(why()) from error
