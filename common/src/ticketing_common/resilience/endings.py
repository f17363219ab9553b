"""How a background task is ended for certain."""

import asyncio
from typing import Any, Final

__all__ = ["end"]

AGAIN_SECONDS: Final = 0.5


async def end(*tasks: "asyncio.Task[Any] | None") -> None:
    """Cancel these until they have ended; what they raised is not said, and None is passed over.

    Once is not enough for a loop that never ends by itself: a cancel that comes as an answer arrives may get lost, for
    `asyncio.wait_for` of Python 3.11 returns the answer instead (seen with NATS and with Redis).
    """
    begun = [task for task in tasks if task is not None]
    pending = set(begun)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=AGAIN_SECONDS)
    await asyncio.gather(*begun, return_exceptions=True)
