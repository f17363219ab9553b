"""A lease: one of several replicas may do something for a while, by the database's own clock."""

from datetime import UTC, datetime
from secrets import token_hex
from typing import Final

from .mongo import Collection, Database, DuplicateKeyError

__all__ = ["Lease"]

COLLECTION: Final = "leases"
EPOCH: Final = datetime.fromtimestamp(0, tz=UTC)


class Lease:
    """Held by whoever took it last and has not let it run out; taken again by its holder, it is prolonged."""

    def __init__(self, database: Database, name: str, *, seconds: float) -> None:
        self._collection: Collection = database[COLLECTION]
        self._name = name
        self._owner = token_hex(8)
        self._milliseconds = int(seconds * 1000)

    async def acquire(self) -> bool:
        """Take or prolong the lease; False when another holds it. No replica's clock is trusted, only `$$NOW`."""
        if await self._take():
            return True
        try:
            # An upsert may not look at `$$NOW`, so the first lease ever is a document of its own.
            await self._collection.insert_one({"_id": self._name, "owner": self._owner, "until": EPOCH})
        except DuplicateKeyError:
            return False
        return await self._take()

    async def _take(self) -> bool:
        result = await self._collection.update_one(
            {"_id": self._name, "$or": [{"owner": self._owner}, {"$expr": {"$lt": ["$until", "$$NOW"]}}]},
            [{"$set": {"owner": self._owner, "until": {"$add": ["$$NOW", self._milliseconds]}}}],
        )
        return result.matched_count == 1

    async def release(self) -> None:
        """Let the next one have it at once."""
        await self._collection.delete_one({"_id": self._name, "owner": self._owner})
