"""Work of one key in order, of different keys side by side, and never more than so much at once."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from ticketing_common.resilience import cancel_and_wait
from ticketing_common.telemetry import get_logger

__all__ = ["KeyedWorkers"]

log = get_logger(__name__)

T = TypeVar("T")


class KeyedWorkers(Generic[T]):
    """Runs `work(item)` for every item: items of the same key one after the other, at most `concurrency` at a time."""

    def __init__(self, work: Callable[[T], Awaitable[None]], *, concurrency: int, capacity: int) -> None:
        self._work = work
        self._slots = asyncio.Semaphore(concurrency)
        self._capacity = capacity
        self._waiting: dict[str, deque[T]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._items = 0
        self._changed = asyncio.Event()

    @property
    def capacity(self) -> int:
        """How many more items may be taken in."""
        return self._capacity - self._items

    async def wait_for_capacity(self, at_least: int) -> None:
        """Return once `at_least` more items may be taken in."""
        while self.capacity < at_least:
            self._changed.clear()
            await self._changed.wait()

    def submit(self, key: str, item: T) -> None:
        """Queue an item behind the others of its key."""
        self._items += 1
        queue = self._waiting.get(key)
        if queue is not None:
            queue.append(item)
            return
        self._waiting[key] = deque([item])
        task = asyncio.create_task(self._run(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, key: str) -> None:
        queue = self._waiting[key]
        try:
            while queue:
                async with self._slots:
                    if queue:  # else handed back while this key waited for its turn
                        await self._work_on(queue.popleft())
        finally:
            # Also on cancellation: nothing may keep waiting behind a worker that is gone.
            del self._waiting[key]

    async def _work_on(self, item: T) -> None:
        try:
            await self._work(item)
        except Exception:
            log.exception("unforeseen error; the next item of its key goes on")
        finally:
            self._items -= 1
            self._changed.set()

    def remove_waiting(self) -> list[T]:
        """The items that were not begun; they never will be."""
        unstarted: list[T] = []
        for queue in self._waiting.values():
            unstarted.extend(queue)
            queue.clear()
        return unstarted

    async def finish(self, seconds: float) -> None:
        """Wait for the work in hand, and cancel what takes longer."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            await cancel_and_wait(*late)
