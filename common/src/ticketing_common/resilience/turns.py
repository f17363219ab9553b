"""A limit on what background work does in one turn of the event loop."""

import asyncio
from typing import Final

__all__ = ["PER_TURN", "TurnLimit"]

PER_TURN: Final = 8
"""Handlers of events in one turn. Each takes about 0.1 ms, and a request waits for the whole turn."""


class TurnLimit:
    """Lets at most `PER_TURN` callers pass in one turn of the event loop; the others pass in later turns, in order.

    A hundred events arrive together and share their commands. Without a limit, their handlers would all run in one
    turn, and each request would wait for them at every step.
    """

    def __init__(self) -> None:
        self._passed = 0

    async def __call__(self) -> None:
        """Return in the first turn that has space."""
        while self._passed >= PER_TURN:  # noqa: ASYNC110 (the next turn is the event)
            await asyncio.sleep(0)
        if self._passed == 0:
            asyncio.get_running_loop().call_soon(self._begin)
        self._passed += 1

    def _begin(self) -> None:
        self._passed = 0
