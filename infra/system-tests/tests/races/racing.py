"""Runs two sides concurrently and repeatedly, until each has won."""

import asyncio
import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Hashable, Set
from statistics import median
from typing import Any, Final, NamedTuple, TypeVar

import httpx

from ticketing_system.in_process import InProcessMarket

__all__ = ["Pair", "Round", "play"]

R = TypeVar("R")

ROUNDS: Final = 100
AT_ONCE: Final = 12
BATCHES_AT_MOST: Final = 5
SPREAD: Final = 1.5


class Round(NamedTuple):
    """The ticket or order of one race, and the responses to its seller and its buyer."""

    key: str
    seller: httpx.Response
    buyer: httpx.Response


class Pair:
    """Starts two sides, one a little before the other, so that either may win.

    How long a side takes depends on the machine and its load. The head start is random, from nothing to one and a half
    times the recent duration of the sides, and more while an outcome is missing: an event of the first side may have to
    arrive before the second side begins.
    """

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._spread = SPREAD
        self._lasted: deque[float] = deque([0.1], maxlen=30)

    async def run(self, one: Callable[[], Awaitable[R]], other: Callable[[], Awaitable[R]]) -> tuple[R, R]:
        """Run both sides; returns the result of each."""
        lead = self._chance.uniform(-self._spread, self._spread) * median(self._lasted)
        first, second = await asyncio.gather(self._after(max(0.0, -lead), one), self._after(max(0.0, lead), other))
        return first, second

    async def during(self, slow: Callable[[], Awaitable[R]], quick: Callable[[], Awaitable[R]]) -> tuple[R, R]:
        """Start the quick side during the slow one, or before or after it; returns the result of each."""
        lead = self.moment()

        async def strike() -> R:
            await asyncio.sleep(max(0.0, lead))
            return await quick()

        first, second = await asyncio.gather(self._after(max(0.0, -lead), slow), strike())
        return first, second

    def moment(self) -> float:
        """A random moment (seconds) within the duration of a side, or somewhat before it (negative) or after it."""
        return self._chance.uniform(-self._spread / 3, self._spread) * median(self._lasted)

    def widen(self) -> None:
        """Double the longest head start."""
        self._spread *= 2

    async def timed(self, side: Callable[[], Awaitable[R]]) -> R:
        """Run a side whose duration counts for later head starts."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        result = await side()
        self._lasted.append(loop.time() - begun)
        return result

    async def _after(self, seconds: float, side: Callable[[], Awaitable[R]]) -> R:
        await asyncio.sleep(seconds)
        return await self.timed(side)


async def play(
    market: InProcessMarket,
    pair: Pair,
    once: Callable[[], Awaitable[Any]],
    outcome: Callable[[Any], Awaitable[Hashable]],
    *,
    wanted: Set[Hashable],
    at_once: int = AT_ONCE,
) -> Counter[Hashable]:
    """Race `ROUNDS` times, let everything settle and read each outcome; repeat while a wanted outcome has not occurred,
    each time with longer head starts of the pair.

    In the end every wanted outcome has occurred, and the audit finds no violation.
    """
    slots = asyncio.Semaphore(at_once)
    outcomes: Counter[Hashable] = Counter()

    async def bounded() -> Any:
        async with slots:
            return await once()

    for _ in range(BATCHES_AT_MOST):
        raced = await asyncio.gather(*(bounded() for _ in range(ROUNDS)))
        await market.settle()
        outcomes.update([await outcome(one) for one in raced])
        if wanted <= outcomes.keys():
            break
        pair.widen()
    print(outcomes)  # noqa: T201
    assert wanted <= outcomes.keys(), outcomes
    assert await market.violations() == []
    return outcomes
