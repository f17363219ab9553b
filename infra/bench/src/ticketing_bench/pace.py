"""An open loop: work is due at its moment, whatever became of what was due before."""

import asyncio
import time
from collections.abc import Awaitable, Callable


async def paced(
    rate: float, count: int, send: Callable[[], Awaitable[str]]
) -> tuple[dict[str, float], dict[str, float]]:
    """Send `count` at `rate` per second; when each was due and when it was done, by the id that `send` returns.

    A stall is so charged to all that it delayed, not only to the one that it hit. One clock for all processes of a
    machine: CLOCK_MONOTONIC counts from its start.
    """
    due_at: dict[str, float] = {}
    done_at: dict[str, float] = {}

    async def one(due: float) -> None:
        sent = await send()
        due_at[sent] = due
        done_at[sent] = time.monotonic()

    begun = time.monotonic() + 0.05
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            due = begun + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            group.create_task(one(due))
    return due_at, done_at
