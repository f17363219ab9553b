"""A lease: a time-limited exclusive right of one replica, by the database's clock."""

from datetime import UTC, datetime
from secrets import token_hex
from typing import Final

from .mongo import Collection, Database, DuplicateKeyError

COLLECTION: Final = "leases"
EPOCH: Final = datetime.fromtimestamp(0, tz=UTC)


class Lease:
    """The last acquirer holds it until it expires or is released; another `acquire` by the holder extends it."""

    def __init__(self, database: Database, name: str, *, seconds: float) -> None:
        self._collection: Collection = database[COLLECTION]
        self._name = name
        self._owner = token_hex(8)
        self._milliseconds = int(seconds * 1000)

    async def acquire(self) -> bool:
        """Acquire or extend the lease; False if another replica holds it. Uses only the database's clock (`$$NOW`)."""
        if await self._take():
            return True
        try:
            # An upsert cannot use `$$NOW`, so the very first lease is inserted as expired.
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
        """Release it, so that another replica can acquire it at once."""
        await self._collection.delete_one({"_id": self._name, "owner": self._owner})
