"""Batched operations on MongoDB: concurrent operations of a kind share one command."""

from collections.abc import Sequence
from functools import reduce
from operator import getitem
from typing import TypeVar

from ticketing_common.batching import Batcher, Operation, Outcomes

from .mongo import Collection, DatabaseError, Document, UpdateOne, insert_each, reading, write_each

A = TypeVar("A")
R = TypeVar("R")


def batched(collection: Collection, operation: str, outcomes: Outcomes[A, R]) -> Batcher[A, R]:
    """`outcomes` performs many of these operations in one command; an error of the driver fails all of its calls."""
    described = Operation(
        f"{collection.database.name}.{operation}",
        {
            "db.system.name": "mongodb",
            "db.namespace": collection.database.name,
            "db.collection.name": collection.name,
            "db.operation.name": operation,
        },
    )
    return Batcher(outcomes, described, of_all=DatabaseError)


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

    return batched(collection, "find", find)


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

    return batched(collection, "find", find)


def batched_insert(collection: Collection) -> Batcher[Document, None]:
    """`insert_one`; raises `DuplicateKeyError` for the one that it concerns."""

    async def insert(documents: Sequence[Document]) -> list[Exception | None]:
        return await insert_each(collection, documents)

    return batched(collection, "insert", insert)


def batched_write(collection: Collection) -> Batcher[UpdateOne, None]:
    """`update_one` where it does not matter whether anything matched; raises `DuplicateKeyError` as `insert` does."""

    async def write(operations: Sequence[UpdateOne]) -> list[Exception | None]:
        return await write_each(collection, operations)

    return batched(collection, "update", write)
