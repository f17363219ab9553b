"""The only file that imports the driver.

Motor had its end of life on 2026-05-14; its successor, PyMongo's own async client, has nearly the same calls. A
migration changes only this file: the names below, `await` before `aggregate()` and `close()`, and no thread pools.
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

from ticketing_common.resilience import WorkloadExecutor, in_background, time_left

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
    "aggregate",
    "connect",
    "disconnect",
    "drop_indexes",
    "ensure_indexes",
    "insert_each",
    "reading",
    "swap_each",
    "upsert_each",
    "without_majority",
    "write_each",
]

Document: TypeAlias = dict[str, Any]
DatabaseClient: TypeAlias = AsyncIOMotorClient[Document]
Database: TypeAlias = AsyncIOMotorDatabase[Document]
Collection: TypeAlias = AsyncIOMotorCollection[Document]
Index: TypeAlias = IndexModel

DatabaseError: TypeAlias = PyMongoError
"""The base class of the driver's errors, for callers that treat all of them the same."""

DatabaseUnavailableError = (
    AutoReconnect,
    ConnectionFailure,
    ExecutionTimeout,
    NetworkTimeout,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
)
"""The driver's errors while the database is unavailable or too slow; a tuple, for `except` and `isinstance`."""


DUPLICATE_KEY: Final = 11_000
IMMUTABLE_FIELD: Final = 66
INDEX_NOT_FOUND: Final = 27
THREADS: Final = min(5 * (os.cpu_count() or 1), 20)
"""Threads for requests, and as many for the background: Motor's own number, limited to the number of connections."""
POOL_SIZE: Final = 50
ANSWER_SECONDS: Final = 10.0
"""Limit of one attempt in the driver, and of a read with all its attempts in `reading`."""
GRACE_SECONDS: Final = 0.1
"""The driver's timeout comes this much after the request's deadline, so that the deadline's error is raised first."""


def connect(url: str, *, application: str, pool_size: int = POOL_SIZE, ca_file: str = "") -> DatabaseClient:
    """A client for the running event loop; it connects at the first operation.

    With `ca_file` (PEM) only over TLS, and only to servers with a certificate of that CA for their name.

    Writes wait for a majority and the journal, so a change that was answered with 201 survives the loss of a node. The
    driver safely retries once. Waits are short, because callers wait: 3 s to find a server, 2 s for a free connection,
    10 s for each attempt; `reading()` is shorter.

    Requests and the background use separate threads, so that neither waits for the other's slow queries. Motor's single
    pool (10 threads on two cores) would run out first; there are more than enough connections for both.
    """
    if not isinstance(motor.frameworks.asyncio._EXECUTOR, WorkloadExecutor):
        pools = WorkloadExecutor(THREADS, name="mongo")
        motor.frameworks.asyncio._EXECUTOR = pools  # type: ignore[assignment]  # any Executor will do
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
        **_tls_options(ca_file),
    )


def _tls_options(ca_file: str) -> dict[str, Any]:
    # Left out without a file: `tls=False` would override an address that asks for TLS.
    return {"tls": True, "tlsCAFile": ca_file} if ca_file else {}


async def disconnect(client: DatabaseClient, *, seconds: float) -> None:
    """Disconnect from the database, within `seconds`.

    The driver ends its sessions at the server and blocks until the answer. It does so in a thread, so that the event
    loop continues, and in a daemon thread, so that the process need not wait for it.
    """
    closing = threading.Thread(target=client.close, name="mongo-close", daemon=True)
    closing.start()
    await asyncio.to_thread(closing.join, seconds)


def without_majority(collection: Collection) -> Collection:
    """The same collection, for writes whose loss only means repeating them."""
    return collection.with_options(write_concern=WriteConcern(w=1), read_concern=ReadConcern("local"))


def reading(collection: Collection) -> AbstractContextManager[None]:
    """Limits reads in this block to the request's remaining time, at most 10 s. Then thread, connection and database
    are free again.

    Without it the driver lets a hanging query run for 10 s and then repeats it. For reads only: a write continues to
    its end, so that as few writes as possible end with an unknown outcome. Only driver calls belong in the block: a
    task started there would keep the limit for ever.

    Sets no limit while no server is known: the driver would wait that long for a server instead of 3 s.
    """
    if in_background() or not _readable(collection.database.client.topology_description):
        return nullcontext()
    left = time_left()
    return pymongo.timeout(ANSWER_SECONDS if left is None else min(left + GRACE_SECONDS, ANSWER_SECONDS))


@lru_cache(maxsize=8)  # a description is immutable, and its query costs as much as the rest of `reading`
def _readable(description: TopologyDescription) -> bool:
    return description.has_readable_server()


async def aggregate(collection: Collection, pipeline: Sequence[Document], **options: Any) -> list[Document]:
    """All results of a pipeline; `options` are the driver's. Here, because the two drivers' calls differ."""
    results: list[Document] = await collection.aggregate(list(pipeline), **options).to_list(None)
    return results


async def insert_each(collection: Collection, documents: Sequence[Document]) -> list[Exception | None]:
    """Insert each document as if alone, in one round trip. Returns for each its error (`DuplicateKeyError`) or None.

    Raises what `insert_one` raises if the outcome is unknown.
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
        _classify(error.details or {}, errors)
    return errors


async def write_each(collection: Collection, operations: Sequence[UpdateOne]) -> list[Exception | None]:
    """As `insert_each`, for updates."""
    errors: list[Exception | None] = [None] * len(operations)
    try:
        await collection.bulk_write(list(operations), ordered=False)
    except BulkWriteError as error:
        _classify(error.details or {}, errors)
    return errors


async def swap_each(collection: Collection, swaps: Sequence[tuple[Document, Document]]) -> list[bool | Exception]:
    """Apply each update (filter with an `_id`, change) as if alone, in one round trip. Returns for each whether its
    filter matched a document, or its error.

    A bulk write tells only the number of matches, so a swap without a match has to fail. Each is an upsert whose insert
    MongoDB refuses, with an error for this operation alone: it would set an `_id` other than the filter's. So no swap
    inserts a document.
    """
    if len(swaps) == 1:
        result = await collection.update_one(*swaps[0])
        return [result.matched_count > 0]
    refused: Document = {"$setOnInsert": {"_id": None}}
    operations = [UpdateOne(unchanged, {**change, **refused}, upsert=True) for unchanged, change in swaps]
    errors = await write_each(collection, operations)
    return [False if _is_unmatched(error) else error or True for error in errors]


async def upsert_each(collection: Collection, operations: Sequence[UpdateOne]) -> list[bool | Exception]:
    """As `write_each`, for upserts. Returns for each whether it inserted a document, or its error."""
    errors: list[Exception | None] = [None] * len(operations)
    try:
        result = await collection.bulk_write(list(operations), ordered=False)
        inserted = set(result.upserted_ids or {})
    except BulkWriteError as error:
        details = error.details or {}
        _classify(details, errors)
        inserted = {upserted["index"] for upserted in details.get("upserted", [])}
    return [error or index in inserted for index, error in enumerate(errors)]


def _is_unmatched(error: Exception | None) -> bool:
    return isinstance(error, WriteError) and error.code == IMMUTABLE_FIELD


def _classify(details: Mapping[str, Any], errors: list[Exception | None]) -> None:
    """Assign each operation the error that the driver would have raised; an error of the whole command goes to all."""
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
