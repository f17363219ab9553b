"""Runs work of one key in order and work of different keys concurrently, up to a limit."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from ticketing_common.resilience import IterationLimit, cancel_and_wait
from ticketing_common.telemetry import get_logger

log = get_logger(__name__)

T = TypeVar("T")


class KeyedWorkers(Generic[T]):
    """Runs `work(items)`: items of the same key in their order, at most `concurrency` keys at a time.

    A call gets one item, or up to `at_once` waiting items of its key (`submit`).
    """

    def __init__(self, work: Callable[[Sequence[T]], Awaitable[None]], *, concurrency: int, capacity: int) -> None:
        self._work = work
        self._slots = asyncio.Semaphore(concurrency)
        self._limit = IterationLimit()
        self._capacity = capacity
        self._waiting: dict[str, deque[T]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._items = 0
        self._changed = asyncio.Event()

    @property
    def capacity(self) -> int:
        """How many more items `submit` may take."""
        return self._capacity - self._items

    async def wait_for_capacity(self, at_least: int) -> None:
        """Return once there is capacity for `at_least` more items."""
        while self.capacity < at_least:
            self._changed.clear()
            await self._changed.wait()

    def submit(self, key: str, item: T, *, at_once: int = 1) -> None:
        """Queue an item behind the others of its key. `at_once` is the same for all items of a key."""
        self._items += 1
        queue = self._waiting.get(key)
        if queue is not None:
            queue.append(item)
            return
        self._waiting[key] = deque([item])
        task = asyncio.create_task(self._run(key, at_once))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, key: str, at_once: int) -> None:
        queue = self._waiting[key]
        try:
            while queue:
                async with self._slots:
                    await self._limit()
                    if queue:  # empty if `remove_waiting` ran while this key waited for a slot or an iteration
                        await self._work_on([queue.popleft() for _ in range(min(at_once, len(queue)))])
        finally:
            # Also on cancellation: later items of this key must get a new worker.
            del self._waiting[key]

    async def _work_on(self, items: Sequence[T]) -> None:
        try:
            await self._work(items)
        except Exception:
            log.exception("unexpected error; the next item of the key continues")
        finally:
            self._items -= len(items)
            self._changed.set()

    def remove_waiting(self) -> list[T]:
        """Remove and return the items that have not started."""
        unstarted: list[T] = []
        for queue in self._waiting.values():
            unstarted.extend(queue)
            queue.clear()
        return unstarted

    async def finish(self, seconds: float) -> None:
        """Wait up to `seconds` for running work, then cancel it."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            await cancel_and_wait(*late)
