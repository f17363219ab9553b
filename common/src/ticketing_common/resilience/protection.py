"""The pieces put together, for calls to one other side from one compartment of ours."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from .breaker import Breaker
from .bulkhead import Bulkhead
from .refusals import NotAskedError
from .retries import Retries

__all__ = ["NotAskedError", "Protection"]

T = TypeVar("T")


@dataclass(frozen=True)
class Protection:
    """Breakers are shared by all who ask the same side, bulkheads by those who may hinder one another.

    `attempt_seconds` limits one attempt, `budget_seconds` the whole: attempts, waits and standing in line.
    """

    breaker: Breaker
    bulkhead: Bulkhead
    retries: Retries
    attempt_seconds: float
    budget_seconds: float

    async def call(self, action: Callable[[], Awaitable[T]], *, again: Callable[[BaseException], bool]) -> T:
        """Do it under all of them; `again` says which errors are worth another attempt.

        Raises `NotAskedError` when nothing was asked, TimeoutError when the answer did not come in time (what was asked
        may have happened), and the action's own errors. A refusal to ask is not repeated here: it is there to be quick.
        """

        asked: BaseException | None = None
        refused = False

        async def attempt() -> T:
            nonlocal asked, refused
            try:
                with self.breaker.watching():
                    async with self.bulkhead.place(), asyncio.timeout(self.attempt_seconds):
                        return await action()
            except NotAskedError:
                refused = True
                if asked is not None:
                    raise asked from None  # an earlier attempt was made: what became of it is not known
                raise
            except Exception as error:
                asked = error
                raise

        def worth_repeating(error: BaseException) -> bool:
            return not refused and (isinstance(error, TimeoutError) or again(error))

        async with asyncio.timeout(self.budget_seconds):
            return await self.retries.run(self.breaker.name, attempt, again=worth_repeating)
