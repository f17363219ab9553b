"""Merges several sorted streams by key, with only the rows of one key and one batch per stream in memory."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Generic, TypeVar

R = TypeVar("R")


class Stream(Generic[R]):
    """Batches of rows in the order of their key."""

    def __init__(self, batches: AsyncIterator[Sequence[R]], key: Callable[[R], str]) -> None:
        self._batches = batches
        self._key = key
        self._batch: Sequence[R] = ()
        self._next = 0
        self.key: str | None = None

    async def begin(self) -> None:
        """Read the first batch."""
        await self._refill()

    async def take(self, key: str) -> list[R]:
        """The rows of that key, which must not precede the current one."""
        taken: list[R] = []
        while self.key == key:
            taken.append(self._batch[self._next])
            self._next += 1
            if self._next < len(self._batch):
                self.key = self._key(self._batch[self._next])
            else:
                await self._refill()
        return taken

    async def _refill(self) -> None:
        while self._next >= len(self._batch):
            try:
                self._batch, self._next = await anext(self._batches), 0
            except StopAsyncIteration:
                self.key = None
                return
        self.key = self._key(self._batch[self._next])


async def merged(*streams: Stream[Any]) -> AsyncIterator[tuple[str, list[list[Any]]]]:
    """Each key of any stream, in order, with its rows of every stream (none, one or several)."""
    for stream in streams:
        await stream.begin()
    while True:
        keys = [stream.key for stream in streams if stream.key is not None]
        if not keys:
            return
        key = min(keys)
        yield key, [await stream.take(key) if stream.key == key else [] for stream in streams]
