"""Work for one key, done once for all concurrent callers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

Round: TypeAlias = Callable[[str], Awaitable[float]]
"""Does the work for a key. Returns the time of the event loop (seconds) at which it last began to read."""

Waiting: TypeAlias = list[tuple[float, "asyncio.Future[None]"]]
"""The time of each call (seconds of the event loop), and the future for its result."""


class Rounds:
    """One round at a time for each key.

    A round serves a call that comes during it if the round reads once more after the call. The next round serves all
    other waiting calls together.
    """

    def __init__(self, round_: Round) -> None:
        self._round = round_
        self._waiting: dict[str, Waiting] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, key: str) -> None:
        """Return when a round has read the state at the time of this call or later; raises the error of that round."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = []
            task = loop.create_task(self._run(key, waiting))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        waiting.append((loop.time(), future))
        await future

    async def _run(self, key: str, waiting: Waiting) -> None:
        served: Waiting = []
        try:
            while waiting:
                served = waiting.copy()
                waiting.clear()
                try:
                    read_at = await self._round(key)
                except Exception as error:
                    for _, future in served:
                        if not future.done():  # else its caller was cancelled
                            future.set_exception(error)
                    continue
                served += [one for one in waiting if one[0] <= read_at]
                waiting[:] = [one for one in waiting if one[0] > read_at]
                for _, future in served:
                    if not future.done():
                        future.set_result(None)
        finally:
            del self._waiting[key]
            for _, future in (*served, *waiting):  # no effect on futures with a result
                future.cancel()
