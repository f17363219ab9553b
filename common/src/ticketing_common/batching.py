"""Batching: concurrent operations of a kind share one command.

A command to MongoDB, Redis or NATS costs several times what one more operation in it costs. So while a few commands of
a kind are under way, further operations of that kind wait for a moment and then leave together; where nothing is under
way, an operation leaves at once and alone. Each has its own outcome: an operation that fails does not stop the others.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from ticketing_common.resilience import PerWorkload, empty_context, with_pauses
from ticketing_common.telemetry import client_span, suppress_unless_sampled

A = TypeVar("A")
R = TypeVar("R")

Outcomes = Callable[[Sequence[A]], Awaitable[Sequence[R | Exception]]]
"""Performs all of these operations; returns the result or the error of each, in their order."""

MAX_IN_FLIGHT: Final = 2
"""Concurrent commands of a kind: one is on the wire while the database executes the other."""
MAX_BATCH_SIZE: Final = 100
"""Operations per command, so that the last one waits only milliseconds for the others."""


@dataclass(frozen=True, slots=True)
class Operation:
    """The operation as traces name it (OpenTelemetry's semantic conventions)."""

    span: str
    attributes: Mapping[str, str]


class Batcher(Generic[A, R]):
    """An awaitable function whose concurrent calls share commands.

    Calls of requests and of the background are queued separately. Cancelling a queued call drops it; cancelling one
    that was already sent does not undo it.
    """

    def __init__(
        self,
        outcomes: Outcomes[A, R],
        operation: Operation,
        *,
        of_all: type[Exception] | tuple[type[Exception], ...] = (),
        max_in_flight: int = MAX_IN_FLIGHT,
        max_batch_size: int = MAX_BATCH_SIZE,
    ) -> None:
        """`of_all`: errors that concern the whole command, as an outage does. After another one each operation is tried
        alone, since a single operation may be what cannot be sent.
        """
        self._outcomes = outcomes
        self._of_all = of_all
        self._operation = operation

        def line(in_flight: int, *, in_background: bool) -> _CallQueue[A, R]:
            context = empty_context(in_background=in_background)
            return _CallQueue(self._settle, max_in_flight=in_flight, max_batch_size=max_batch_size, context=context)

        # In the background no caller waits: fewer commands, each with more operations.
        self._lines = PerWorkload(
            requests=line(max_in_flight, in_background=False), background=line(1, in_background=True)
        )

    async def __call__(self, item: A) -> R:
        """The operation's result; raises its error."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        with client_span(self._operation.span, self._operation.attributes):
            self._lines.current.join(item, future)
            return await future

    async def _settle(self, batch: Sequence[tuple[A, "asyncio.Future[R]"]]) -> None:
        try:
            outcomes = await self._outcomes([item for item, _ in batch])
        except self._of_all as error:
            outcomes = [error] * len(batch)
        except Exception as error:
            if len(batch) > 1:  # one of them cannot be encoded, perhaps, and the others must not fail with it
                for one in batch:
                    await self._settle([one])
                return
            outcomes = [error]
        async for (_, future), outcome in with_pauses(zip(batch, outcomes, strict=True)):
            if future.done():
                continue  # its caller has gone
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)


class _CallQueue(Generic[A, R]):
    """Calls that wait for the next command."""

    def __init__(
        self,
        settle: Callable[[Sequence[tuple[A, "asyncio.Future[R]"]]], Awaitable[None]],
        *,
        max_in_flight: int,
        max_batch_size: int,
        context: Context,
    ) -> None:
        self._settle = settle
        self._free = max_in_flight
        self._max_batch_size = max_batch_size
        self._context = context
        self._waiting: deque[tuple[A, asyncio.Future[R]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    def join(self, item: A, future: "asyncio.Future[R]") -> None:
        self._waiting.append((item, future))
        if self._free:
            self._free -= 1
            # In an empty context: a caller's trace and deadline do not apply to the other callers.
            task = asyncio.get_running_loop().create_task(self._send(), context=self._context.copy())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send(self) -> None:
        batch: list[tuple[A, asyncio.Future[R]]] = []
        try:
            while self._waiting:
                batch = []
                while self._waiting and len(batch) < self._max_batch_size:
                    item, future = self._waiting.popleft()
                    if not future.done():
                        batch.append((item, future))
                if batch:
                    with suppress_unless_sampled():  # each caller's trace has its own span
                        await self._settle(batch)
        except BaseException:
            # The loop ends: cancel the waiting calls, which would never finish.
            for _, future in (*batch, *self._waiting):
                future.cancel()
            self._waiting.clear()
            raise
        finally:
            self._free += 1
