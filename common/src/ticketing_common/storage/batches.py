"""Operations that come at the same time travel together, as one command.

A command costs the driver and the database several times what one more document in it costs. So while a few commands of
a kind are under way, further operations of that kind wait for a moment and then leave together; where nothing is under
way, an operation leaves at once and alone. Each has its own outcome: what one may not do does not stop the others.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from typing import Final, Generic, Self, TypeVar

from ticketing_common.resilience import empty_context, in_background
from ticketing_common.telemetry import client_span, suppress_unless_sampled

from .mongo import Collection, DatabaseError, Document, UpdateOne, insert_each, reading, write_each

__all__ = ["Batcher", "Operation", "batched_find", "batched_insert", "batched_lists", "batched_write"]

A = TypeVar("A")
R = TypeVar("R")

Outcomes = Callable[[Sequence[A]], Awaitable[Sequence[R | Exception]]]
"""Does what all of these ask for; the result or the error of each, in their order."""

MAX_IN_FLIGHT: Final = 2
"""Commands of a kind under way: one is on the wire while the database works on the other."""
MAX_BATCH_SIZE: Final = 100
"""Operations in a command: what the last in line waits for the others stays within milliseconds."""


@dataclass(frozen=True, slots=True)
class Operation:
    """Who is asked, and what: as it is told in traces (OpenTelemetry's semantic conventions for databases)."""

    span: str
    attributes: Mapping[str, str]

    @classmethod
    def of(cls, collection: Collection, operation: str) -> Self:
        """A collection of MongoDB's."""
        return cls(
            f"{collection.database.name}.{operation}",
            {
                "db.system.name": "mongodb",
                "db.namespace": collection.database.name,
                "db.collection.name": collection.name,
                "db.operation.name": operation,
            },
        )


class Batcher(Generic[A, R]):
    """Calls like a function; calls that come together are done together.

    Requests and the background stand in lines of their own, as everywhere. Whoever is cancelled while waiting in line
    leaves it, and nothing is done for him; later, the database does it and nobody hears of it, as with any operation.
    """

    def __init__(
        self,
        outcomes: Outcomes[A, R],
        operation: Operation,
        *,
        max_in_flight: int = MAX_IN_FLIGHT,
        max_batch_size: int = MAX_BATCH_SIZE,
    ) -> None:
        self._outcomes = outcomes
        self._operation = operation
        self._requests, self._background = (
            _CallQueue(
                self._settle,
                max_in_flight=max_in_flight,
                max_batch_size=max_batch_size,
                context=empty_context(in_background=background),
            )
            for background in (False, True)
        )

    async def __call__(self, item: A) -> R:
        """The result for this one; raises its error."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        queue = self._background if in_background() else self._requests
        with client_span(self._operation.span, self._operation.attributes):
            queue.join(item, future)
            return await future

    async def _settle(self, batch: Sequence[tuple[A, "asyncio.Future[R]"]]) -> None:
        try:
            outcomes = await self._outcomes([item for item, _ in batch])
        except DatabaseError as error:
            outcomes = [error] * len(batch)
        except Exception as error:
            # Not the database's word: one of them cannot even be written down, and the others must not pay for it.
            if len(batch) > 1:
                for one in batch:
                    await self._settle([one])
                return
            outcomes = [error]
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if future.done():
                continue  # its caller has gone
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)


class _CallQueue(Generic[A, R]):
    """Who waits for the next command."""

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
            # In a context of nobody's: what belongs to one caller (trace, deadline) is not the others'.
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
                    with suppress_unless_sampled():  # in the stories of those who wait each has a span of its own
                        await self._settle(batch)
        except BaseException:
            # The loop ends: nobody is left waiting for what never comes.
            for _, future in (*batch, *self._waiting):
                future.cancel()
            self._waiting.clear()
            raise
        finally:
            self._free += 1


def batched_find(collection: Collection, fields: Document | None = None) -> Batcher[str, Document | None]:
    """`find_one` by `_id`."""

    async def find(ids: Sequence[str]) -> list[Document | None]:
        wanted = list(dict.fromkeys(ids))
        if len(wanted) == 1:
            with reading(collection):
                found = await collection.find_one({"_id": wanted[0]}, fields)
            return [found] * len(ids)
        cursor = collection.find({"_id": {"$in": wanted}}, fields).batch_size(len(wanted) + 1)
        with reading(collection):
            documents = {document["_id"]: document for document in await cursor.to_list(None)}
        return [documents.get(one) for one in ids]

    return Batcher(find, Operation.of(collection, "find"))


def batched_lists(
    collection: Collection, field: str, condition: Document, fields: Document | None = None
) -> Batcher[str, list[Document]]:
    """`find` by the value of a field (dotted for one within another), under a condition that is the same for all."""
    path = field.split(".")

    async def find(values: Sequence[str]) -> list[list[Document]]:
        wanted: dict[str, list[Document]] = {value: [] for value in values}
        with reading(collection):
            found = await collection.find({field: {"$in": list(wanted)}} | condition, fields).to_list(None)
        for document in found:
            wanted[reduce(getitem, path, document)].append(document)  # type: ignore[index]  # a string at its end
        return [wanted[value] for value in values]

    return Batcher(find, Operation.of(collection, "find"))


def batched_insert(collection: Collection) -> Batcher[Document, None]:
    """`insert_one`; raises `DuplicateKeyError` for the one that it concerns."""

    async def insert(documents: Sequence[Document]) -> list[Exception | None]:
        return await insert_each(collection, documents)

    return Batcher(insert, Operation.of(collection, "insert"))


def batched_write(collection: Collection) -> Batcher[UpdateOne, None]:
    """`update_one` where it does not matter whether anything matched; raises `DuplicateKeyError` as `insert` does."""

    async def write(operations: Sequence[UpdateOne]) -> list[Exception | None]:
        _, errors = await write_each(collection, operations)
        return errors

    return Batcher(write, Operation.of(collection, "update"))
