"""The deadlines' only queries. Every question about time is answered by the database's clock.

A worker whose own clock has jumped can therefore be late for a moment, but never early.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from ticketing_common.batching import Batcher
from ticketing_common.storage import ASCENDING, Document, DuplicateKeyError, Index, Outbox, Repository, batched

from .domain import Deadline, DeadlineStatus

__all__ = ["DeadlineRepository"]


class DeadlineRepository(Repository[Deadline]):
    """Deadlines by order id."""

    INDEXES: ClassVar[Sequence[Index]] = (
        # Only what still waits: the index stays small however many orders there have been.
        Index(
            [("expires_at", ASCENDING)],
            name="pending_expires_at",
            partialFilterExpression={"status": DeadlineStatus.PENDING.value},
        ),
    )

    def __init__(self, outbox: Outbox) -> None:
        super().__init__(outbox, Deadline)
        self._remaining: Batcher[str, timedelta | None] = batched(self.collection, "aggregate", self._remaining_of_each)

    async def find_or_add(self, deadline: Deadline) -> Deadline:
        """What is stored for that order; `deadline` itself when nothing was."""
        if deadline.status is not DeadlineStatus.PENDING and (stored := await self.find(deadline.id)):
            return stored  # the usual end: it was there from the beginning, and a refused insert costs more
        try:
            await self.add(deadline)
        except DuplicateKeyError:
            return await self.get(deadline.id)
        return deadline

    async def list_due(self, *, limit: int) -> list[Deadline]:
        """Pending deadlines whose moment has come, the longest overdue first."""
        return await self._list_until("$$NOW", limit)

    async def list_upcoming(self, *, within: timedelta, limit: int) -> list[Deadline]:
        """Pending deadlines whose moment comes soon or has come, in that order."""
        return await self._list_until({"$add": ["$$NOW", within // timedelta(milliseconds=1)]}, limit)

    async def remaining(self, order_id: str) -> timedelta | None:
        """How long until this deadline, negative once it is due; None when it is not pending."""
        return await self._remaining(order_id)

    async def _remaining_of_each(self, order_ids: Sequence[str]) -> list[timedelta | None]:
        rows = await self.collection.aggregate(
            [
                {"$match": {"_id": {"$in": list(order_ids)}, "status": DeadlineStatus.PENDING.value}},
                {"$project": {"milliseconds": {"$subtract": ["$expires_at", "$$NOW"]}}},
            ]
        ).to_list(None)
        found = {row["_id"]: timedelta(milliseconds=row["milliseconds"]) for row in rows}
        return [found.get(order_id) for order_id in order_ids]

    async def walk(self) -> AsyncIterator[Deadline]:
        """For a resync: only what has passed has been told of."""
        async for deadline in super().walk():
            if deadline.status is DeadlineStatus.COMPLETED:
                yield deadline

    async def _list_until(self, moment: Any, limit: int) -> list[Deadline]:
        # The comparison with `$$NOW` uses the index (a test reads the query plan): no clock of ours has to narrow it.
        due: Document = {"status": DeadlineStatus.PENDING.value, "$expr": {"$lte": ["$expires_at", moment]}}
        cursor = self.collection.find(due, {"outbox": 0}).sort("expires_at", ASCENDING).limit(limit)
        return self.to_entities(await cursor.to_list(None))
