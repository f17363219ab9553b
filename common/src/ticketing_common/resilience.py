"""The workload of a call, the deadline of its request, background work that repeats, and cancellation.

A call belongs to a request, for which a caller waits, or to the background. A context variable carries this workload,
as it carries the deadline, because it must reach the driver's thread pool through code that is not ours. Two kinds of
decisions depend on it:

* which of two resources a call uses, so that neither workload waits for the other (`PerWorkload`): threads of the
  database driver, queues of the batcher, concurrent calls to Stripe;
* how long it may take: a request has a deadline (`time_left`, `storage.reading`), the background has none.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from contextvars import Context, ContextVar
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from ticketing_common.telemetry import get_logger, trace_scope

log = get_logger(__name__)

T = TypeVar("T")

_IN_BACKGROUND: Final[ContextVar[bool]] = ContextVar("in_background", default=False)
_CLOCKS: Final[ContextVar["tuple[asyncio.Timeout, ...]"]] = ContextVar("clocks", default=())
REPEAT_SECONDS: Final = 1.0
PER_ITERATION: Final = 8
"""Handlers of events in one iteration of the event loop. Each takes about 0.1 ms, and requests wait for all of them."""


@dataclass(frozen=True, slots=True)
class PerWorkload(Generic[T]):
    """Two resources of the same kind, one for each workload."""

    requests: T
    background: T

    @property
    def current(self) -> T:
        """The resource of the current workload."""
        return self.background if in_background() else self.requests


def in_background() -> bool:
    """True in work without a waiting caller: consumers, the relay, sweeps."""
    return _IN_BACKGROUND.get()


@contextmanager
def background() -> Iterator[None]:
    """Run this block, and the tasks that it starts, in the background workload."""
    token = _IN_BACKGROUND.set(True)
    try:
        yield
    finally:
        _IN_BACKGROUND.reset(token)


class WorkloadExecutor(Executor):
    """Two thread pools; it chooses by the caller's workload: `submit` runs in the caller's context."""

    def __init__(self, threads: int, *, name: str) -> None:
        """`threads` is the size of each pool; threads start on demand."""
        self._pools = PerWorkload(
            requests=ThreadPoolExecutor(threads, thread_name_prefix=f"{name}-requests"),
            background=ThreadPoolExecutor(threads, thread_name_prefix=f"{name}-background"),
        )

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Run `fn` in the pool of the current workload."""
        return self._pools.current.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        for pool in (self._pools.requests, self._pools.background):
            pool.shutdown(wait, cancel_futures=cancel_futures)


def empty_context(*, in_background: bool) -> Context:
    """A context for work on behalf of several callers: it carries their workload, and no trace or deadline."""
    context = Context()
    context.run(_IN_BACKGROUND.set, in_background)
    return context


def time_left() -> float | None:
    """Seconds until the deadline, 0 if it has passed. None without one: in the background, and after the response."""
    if in_background():
        return None
    due = min((when for clock in _CLOCKS.get() if (when := clock.when()) is not None), default=None)
    return None if due is None else max(0.0, due - asyncio.get_running_loop().time())


@contextmanager
def limited_by(clock: asyncio.Timeout) -> Iterator[None]:
    """Apply this timeout inside the block. It can only shorten an enclosing deadline, and follows rescheduling."""
    token = _CLOCKS.set((*_CLOCKS.get(), clock))
    try:
        yield
    finally:
        _CLOCKS.reset(token)


async def with_pauses(items: Iterable[T]) -> AsyncIterator[T]:
    """These items. In the background, requests continue after each `PER_ITERATION` of them.

    For a loop with about as much work for an item as a handler has, which would block the event loop for the sum.
    """
    for place, item in enumerate(items):
        if place and place % PER_ITERATION == 0 and in_background():
            await asyncio.sleep(0)
        yield item


class IterationLimit:
    """Lets at most `PER_ITERATION` callers pass in one iteration of the event loop, and the others in later ones.

    A hundred events arrive together and share their commands. Without a limit, their handlers would all run in one
    iteration, and each request would wait for them at every step.
    """

    def __init__(self) -> None:
        self._passed = 0

    async def __call__(self) -> None:
        """Return in the first iteration that has space."""
        while self._passed >= PER_ITERATION:  # noqa: ASYNC110 (the next iteration is the event)
            await asyncio.sleep(0)
        if self._passed == 0:
            asyncio.get_running_loop().call_soon(self._begin)
        self._passed += 1

    def _begin(self) -> None:
        self._passed = 0


async def cancel_and_wait(*tasks: "asyncio.Task[Any] | None", repeat_seconds: float = REPEAT_SECONDS) -> None:
    """Cancel these tasks repeatedly until they end. Ignores their exceptions, and skips None.

    One cancel is not enough for an endless loop: if it comes as an answer arrives, `asyncio.wait_for` of Python 3.11
    may return the answer and drop the cancel (seen with NATS and with Redis). The next cancel follows after
    `repeat_seconds`, so a task's clean-up must not take longer.
    """
    begun = [task for task in tasks if task is not None]
    pending = set(begun)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=repeat_seconds)
    await asyncio.gather(*begun, return_exceptions=True)


@asynccontextmanager
async def repeated(
    work: Callable[[], Awaitable[object]],
    every_seconds: float,
    *,
    failure: str,
    acquire_lease: Callable[[], Awaitable[bool]] | None = None,
) -> AsyncIterator[None]:
    """While the block runs, do this work in the background every `every_seconds` seconds, the first time after these.

    With `acquire_lease` only the replica that gets the lease does it. An error is logged as `failure`, and does not
    stop the repetition. The end of the block cancels the work.
    """

    async def repeat() -> None:
        while True:
            await asyncio.sleep(every_seconds)
            try:
                with trace_scope(None), background():
                    if acquire_lease is None or await acquire_lease():
                        await work()
            except Exception:
                log.exception(failure)

    task = asyncio.create_task(repeat())
    try:
        yield
    finally:
        await cancel_and_wait(task)
