"""Stores the response to each request with an Idempotency-Key for 24 hours."""

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

KEEP_SECONDS: Final = 24 * 3600
RUNNING_SECONDS: Final = 60
"""After this long a running request counts as dead, and the next request with its key may run."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The request may run, and creates its aggregate with this id. All attempts get the same id, so a later one finds
    what an earlier one created.

    The id is drawn when the key is first seen, and stored with it. It is not computed from the key: ids grow with time,
    and a key that is used again after 24 hours creates a new aggregate.
    """

    creation_id: str


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """What is stored for a key: the fingerprint of its request, and the response once there is one."""

    fingerprint: str
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @property
    def running(self) -> bool:
        """Whether the first request is still without a response."""
        return self.status is None


class IdempotencyKeys:
    """One document per key; MongoDB removes it after 24 hours."""

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
        """Claim a key for a new request. Returns a `StoredResponse` if the request must not run."""
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
        # The first request may have crashed before its response: one successor takes over, in one atomic write.
        taken_over: Document | None = await self._collection.find_one_and_update(
            {"_id": key, "fingerprint": fingerprint, "status": {"$exists": False}, "abandoned_at": {"$lte": now}},
            {"$set": {"abandoned_at": document["abandoned_at"]}},
            return_document=ReturnDocument.AFTER,
        )
        if taken_over is not None:
            return Claim(taken_over["creation_id"])
        found = await self._find(key)
        if found is None:  # it expired or was removed in between
            return await self.claim(key, fingerprint)
        return StoredResponse(
            found["fingerprint"],
            found.get("status"),
            tuple((name, value) for name, value in found.get("headers", [])),
            found.get("body", b""),
        )

    async def knows(self, key: str) -> bool:
        """Whether any request used this key before, with any outcome."""
        return await self._find(key) is not None

    async def answer(self, key: str, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Store the response for repeated requests.

        Does not wait for a majority, unlike the claim: if a failover loses the response, the next request with the key
        runs with the same id, as after a crash, and finds what the first request created.
        """
        given = {"status": status, "headers": [list(pair) for pair in headers], "body": body}
        await self._relaxed(UpdateOne({"_id": key}, {"$set": given}))

    async def release(self, key: str) -> None:
        """Let the same request run again at once. Its id stays, because this attempt may have had an effect."""
        await self._collection.update_one(
            {"_id": key, "status": {"$exists": False}}, {"$set": {"abandoned_at": utc_now()}}
        )

    async def forget(self, key: str) -> None:
        """Remove the key: its request was refused before it had any effect."""
        await self._collection.delete_one({"_id": key, "status": {"$exists": False}})
