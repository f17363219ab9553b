"""Cancellation of background tasks that is certain to take effect."""

import asyncio
from typing import Any, Final

__all__ = ["cancel_and_wait"]

REPEAT_SECONDS: Final = 1.0


async def cancel_and_wait(*tasks: "asyncio.Task[Any] | None", repeat_seconds: float = REPEAT_SECONDS) -> None:
    """Cancel these tasks repeatedly until they end. Ignores their exceptions, and skips None.

    One cancel is not enough for an endless loop: if it comes as an answer arrives, `asyncio.wait_for` of Python 3.11
    may return the answer and drop the cancel (seen with NATS and with Redis). The next cancel follows after
    `repeat_seconds`, so a task's clean-up must not take longer.
    """
    begun = [task for task in tasks if task is not None]
    pending = set(begun)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=repeat_seconds)
    await asyncio.gather(*begun, return_exceptions=True)
