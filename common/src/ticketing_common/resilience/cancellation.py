"""How a background task is ended for certain."""

import asyncio
from typing import Any, Final

__all__ = ["cancel_and_wait"]

REPEAT_SECONDS: Final = 1.0


async def cancel_and_wait(*tasks: "asyncio.Task[Any] | None", repeat_seconds: float = REPEAT_SECONDS) -> None:
    """Cancel these until they have ended; what they raised is not said, and None is passed over.

    Once is not enough for a loop that never ends by itself: a cancel that comes as an answer arrives may get lost, for
    `asyncio.wait_for` of Python 3.11 returns the answer instead (seen with NATS and with Redis). The next one comes
    `repeat_seconds` later, so what a task still does at its end must not take longer.
    """
    begun = [task for task in tasks if task is not None]
    pending = set(begun)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=repeat_seconds)
    await asyncio.gather(*begun, return_exceptions=True)
