"""The only file that imports the driver.

Motor had its end of life on 2026-05-14; its successor, PyMongo's own async client, has nearly the same calls. Whoever
changes over does it here: the names below, and `await` before `aggregate()` and `close()`.
"""

import asyncio
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any, Final, TypeAlias

import motor.frameworks.asyncio
import pymongo
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument, UpdateOne
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
    WriteError,
)
from pymongo.read_concern import ReadConcern
from pymongo.topology_description import TopologyDescription
from pymongo.write_concern import WriteConcern

from ticketing_common.resilience import in_background, time_left

from .threads import TwoPools

__all__ = [
    "ASCENDING",
    "DESCENDING",
    "Collection",
    "Database",
    "DatabaseClient",
    "DatabaseError",
    "DatabaseUnavailableError",
    "Document",
    "DuplicateKeyError",
    "Index",
    "ReturnDocument",
    "UpdateOne",
    "connect",
    "disconnect",
    "drop_indexes",
    "ensure_indexes",
    "insert_each",
    "reading",
    "without_majority",
    "write_each",
]

Document: TypeAlias = dict[str, Any]
DatabaseClient: TypeAlias = AsyncIOMotorClient[Document]
Database: TypeAlias = AsyncIOMotorDatabase[Document]
Collection: TypeAlias = AsyncIOMotorCollection[Document]
Index: TypeAlias = IndexModel

DatabaseError: TypeAlias = PyMongoError
"""Whatever the driver raises: for a reader that can only say that it could not read."""

DatabaseUnavailableError = (
    AutoReconnect,
    ConnectionFailure,
    ExecutionTimeout,
    NetworkTimeout,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
)
"""What the driver raises when the database is away or too slow; a tuple, for `except` and `isinstance`."""


DUPLICATE_KEY: Final = 11_000
INDEX_NOT_FOUND: Final = 27
THREADS: Final = min(5 * (os.cpu_count() or 1), 20)
"""For requests, and as many for the background; Motor's own number, but never more than there are connections."""
POOL_SIZE: Final = 50
ANSWER_SECONDS: Final = 10.0
"""What an answer may take: the driver's own limit for one try, and ours for a reading with all its tries."""
GRACE_SECONDS: Final = 0.1
"""A request that is spent is told so by its own clock; the driver's goes off after it."""


def connect(url: str, *, application: str, pool_size: int = POOL_SIZE) -> DatabaseClient:
    """A client for the running event loop; nothing is sent until the first operation.

    Writes are acknowledged by a majority and journalled: what was answered with 201 survives the loss of a node.
    The driver retries once by itself, safely. Waits are short, since a caller waits too: 3 s to find a server, 2 s for
    a free connection, 10 s for an answer to each try; `reading()` is shorter still.

    Requests and the background each have threads of their own, so that neither waits behind the other's slow queries.
    Motor does everything in one small pool of threads (10 on two cores), which is what would run out; connections are
    more than enough for both.
    """
    if not isinstance(motor.frameworks.asyncio._EXECUTOR, TwoPools):
        motor.frameworks.asyncio._EXECUTOR = TwoPools(THREADS)  # type: ignore[assignment]  # any Executor will do
    return AsyncIOMotorClient(
        url,
        appname=application,
        tz_aware=True,
        w="majority",
        journal=True,
        readConcernLevel="local",
        retryReads=True,
        retryWrites=True,
        maxPoolSize=pool_size,
        serverSelectionTimeoutMS=3_000,
        connectTimeoutMS=3_000,
        socketTimeoutMS=int(ANSWER_SECONDS * 1_000),
        waitQueueTimeoutMS=2_000,
    )


async def disconnect(client: DatabaseClient, *, seconds: float) -> None:
    """Leave the database; what it does not hear of within `seconds` it finds out by itself.

    The driver tells it that sessions end, and waits for the answer without looking up: in a thread, so that nothing
    else stands still meanwhile, and a daemon, so that the process need not wait for it.
    """
    closing = threading.Thread(target=client.close, name="mongo-close", daemon=True)
    closing.start()
    await asyncio.to_thread(closing.join, seconds)


def without_majority(collection: Collection) -> Collection:
    """The same collection for writes whose loss costs nothing but doing them again."""
    return collection.with_options(write_concern=WriteConcern(w=1), read_concern=ReadConcern("local"))


def reading(collection: Collection) -> AbstractContextManager[None]:
    """What a request reads inside takes as long as somebody waits for it, 10 s at most; then thread, connection and
    database are free again.

    Without it the driver lets a query that hangs go on for 10 s, and then begins it a second time. For what is read
    only: a change goes on to its end, so that no more of them than must be end with nobody knowing whether they were
    made. Only calls of the driver belong inside: a task begun there would have the limit for ever.

    While no server is known nothing is set, since the driver would wait for one that long, too, and not for 3 s.
    """
    if in_background() or not _readable(collection.database.client.topology_description):
        return nullcontext()
    left = time_left()
    return pymongo.timeout(ANSWER_SECONDS if left is None else min(left + GRACE_SECONDS, ANSWER_SECONDS))


@lru_cache(maxsize=8)  # a description never changes, and asking it costs as much as all the rest here
def _readable(description: TopologyDescription) -> bool:
    return description.has_readable_server()


async def insert_each(collection: Collection, documents: Sequence[Document]) -> list[Exception | None]:
    """Insert them in one round trip, each as if alone; why it could not be (`DuplicateKeyError`), or None, for each.

    Raises what `insert_one` raises when nobody knows what became of them.
    """
    errors: list[Exception | None] = [None] * len(documents)
    try:
        if len(documents) == 1:
            await collection.insert_one(documents[0])
        else:
            await collection.insert_many(documents, ordered=False)
    except DuplicateKeyError as error:
        errors = [error]
    except BulkWriteError as error:
        _tell_apart(error.details or {}, errors)
    return errors


async def write_each(collection: Collection, operations: Sequence[UpdateOne]) -> tuple[int, list[Exception | None]]:
    """As `insert_each`, for updates; first, how many of them found the document that they ask for."""
    errors: list[Exception | None] = [None] * len(operations)
    try:
        result = await collection.bulk_write(list(operations), ordered=False)
        return result.matched_count, errors
    except BulkWriteError as error:
        details = error.details or {}
        _tell_apart(details, errors)
        return details.get("nMatched", 0), errors


def _tell_apart(details: Mapping[str, Any], errors: list[Exception | None]) -> None:
    """Give each its own error, as the driver would have raised it; what the whole command lacks is everybody's."""
    for lack in details.get("writeConcernErrors", [])[-1:]:
        errors[:] = [WriteConcernError(lack.get("errmsg", ""), lack.get("code"), lack)] * len(errors)
    for refused in details.get("writeErrors", []):
        kind = DuplicateKeyError if refused["code"] == DUPLICATE_KEY else WriteError
        errors[refused["index"]] = kind(refused.get("errmsg", ""), refused["code"], refused)


async def ensure_indexes(collection: Collection, indexes: Sequence[IndexModel]) -> None:
    """Create the indexes that are missing; safe to call from every replica at every start."""
    if indexes:
        await collection.create_indexes(list(indexes))


async def drop_indexes(collection: Collection, names: Sequence[str]) -> None:
    """Drop those of these indexes that exist; safe to call from every replica at every start."""
    if not names:
        return
    existing = await collection.index_information()
    for name in names:
        if name in existing:
            try:
                await collection.drop_index(name)
            except OperationFailure as error:
                if error.code != INDEX_NOT_FOUND:  # another replica was faster
                    raise
