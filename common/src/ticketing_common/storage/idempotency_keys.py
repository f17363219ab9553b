"""Remembers what was answered to a request with an Idempotency-Key, for as long as somebody may ask again."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Final

from ticketing_common.entity import new_id, utc_now

from .batches import batched_find, batched_insert, batched_write
from .mongo import (
    ASCENDING,
    Collection,
    Document,
    DuplicateKeyError,
    Index,
    ReturnDocument,
    UpdateOne,
    ensure_indexes,
    without_majority,
)

__all__ = ["Claim", "IdempotencyKeys", "StoredResponse"]

KEEP_SECONDS: Final = 24 * 3600
RUNNING_SECONDS: Final = 60
"""A request that has not ended by then died with its process; the next one with its key may run."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The request may run. What it makes gets this id, the same at every try: so a try finds what an earlier one made.

    The id is drawn when the key is first seen and kept with it, not computed from it: ids grow with time, and a key
    that is used again after its 24 hours makes something new.
    """

    creation_id: str


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """What is known of a key: the fingerprint of its request, and the answer once there is one."""

    fingerprint: str
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @property
    def running(self) -> bool:
        """Whether the first request has not been answered yet."""
        return self.status is None


class IdempotencyKeys:
    """One document a key; MongoDB removes it after 24 hours."""

    INDEXES: ClassVar[tuple[Index, ...]] = (Index([("expires_at", ASCENDING)], name="expiry", expireAfterSeconds=0),)

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._find = batched_find(collection)
        self._insert = batched_insert(collection)
        self._relaxed = batched_write(without_majority(collection))

    async def ensure_indexes(self) -> None:
        """Create the expiry index; idempotent."""
        await ensure_indexes(self._collection, self.INDEXES)

    async def claim(self, key: str, fingerprint: str) -> Claim | StoredResponse:
        """Claim a key for a request that begins now; a `StoredResponse` when it may not run."""
        now = utc_now()
        document: dict[str, Any] = {
            "_id": key,
            "fingerprint": fingerprint,
            "creation_id": new_id(),
            "abandoned_at": now + timedelta(seconds=RUNNING_SECONDS),
            "expires_at": now + timedelta(seconds=KEEP_SECONDS),
        }
        try:
            await self._insert(document)
            return Claim(document["creation_id"])
        except DuplicateKeyError:
            pass
        # Its first request may have died half-way: one successor takes over, the claim moves on in one write.
        taken_over: Document | None = await self._collection.find_one_and_update(
            {"_id": key, "fingerprint": fingerprint, "status": {"$exists": False}, "abandoned_at": {"$lte": now}},
            {"$set": {"abandoned_at": document["abandoned_at"]}},
            return_document=ReturnDocument.AFTER,
        )
        if taken_over is not None:
            return Claim(taken_over["creation_id"])
        found = await self._find(key)
        if found is None:  # it ran out or was forgotten between the two
            return await self.claim(key, fingerprint)
        return StoredResponse(
            found["fingerprint"],
            found.get("status"),
            tuple((name, value) for name, value in found.get("headers", [])),
            found.get("body", b""),
        )

    async def knows(self, key: str) -> bool:
        """Whether somebody came with this key before, however that ended."""
        return await self._find(key) is not None

    async def answer(self, key: str, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Keep the answer for those who ask again.

        Should a failover lose it, the next request with the key runs as after a crash in between, with the same id: it
        finds what the first has made. So no caller waits for a majority here; the claim before it did.
        """
        given = {"status": status, "headers": [list(pair) for pair in headers], "body": body}
        await self._relaxed(UpdateOne({"_id": key}, {"$set": given}))

    async def release(self, key: str) -> None:
        """Let the same request be tried again at once: nobody knows how far this try came, so its id stays."""
        await self._collection.update_one(
            {"_id": key, "status": {"$exists": False}}, {"$set": {"abandoned_at": utc_now()}}
        )

    async def forget(self, key: str) -> None:
        """Free the key altogether: its request was turned away before it did anything."""
        await self._collection.delete_one({"_id": key, "status": {"$exists": False}})
