"""All queries of the deadlines. Only the database's clock decides what is due.

So a worker whose own clock has jumped may be late for a moment, but never early.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from ticketing_common.batching import Batcher
from ticketing_common.storage import (
    ASCENDING,
    Document,
    Index,
    Outbox,
    Repository,
    aggregate,
    batched,
)

from .domain import Deadline, DeadlineStatus


class DeadlineRepository(Repository[Deadline]):
    """Deadlines by order id."""

    INDEXES: ClassVar[Sequence[Index]] = (
        # Contains only pending deadlines, so its size does not grow with the number of past orders.
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
        """The stored deadline of that order; if there is none, store and return `deadline`."""
        if deadline.status is not DeadlineStatus.PENDING and (stored := await self.find(deadline.id)):
            return stored  # the usual case; a read costs less than an insert that fails
        return await self.add_once(deadline)

    async def list_due(self, *, limit: int) -> list[Deadline]:
        """Pending deadlines that are due, longest overdue first."""
        return await self._list_until("$$NOW", limit)

    async def list_upcoming(self, *, within: timedelta, limit: int) -> list[Deadline]:
        """Pending deadlines that are due or become due `within` that time, in order of their time."""
        return await self._list_until({"$add": ["$$NOW", within // timedelta(milliseconds=1)]}, limit)

    async def remaining(self, order_id: str) -> timedelta | None:
        """Time until this deadline, negative once it is due. None if it is not pending."""
        return await self._remaining(order_id)

    async def _remaining_of_each(self, order_ids: Sequence[str]) -> list[timedelta | None]:
        rows = await aggregate(
            self.collection,
            [
                {"$match": {"_id": {"$in": list(order_ids)}, "status": DeadlineStatus.PENDING.value}},
                {"$project": {"milliseconds": {"$subtract": ["$expires_at", "$$NOW"]}}},
            ],
        )
        found = {row["_id"]: timedelta(milliseconds=row["milliseconds"]) for row in rows}
        return [found.get(order_id) for order_id in order_ids]

    async def walk(self) -> AsyncIterator[Deadline]:
        """Completed deadlines, for a resync: only these were published."""
        async for deadline in super().walk():
            if deadline.status is DeadlineStatus.COMPLETED:
                yield deadline

    async def _list_until(self, moment: Any, limit: int) -> list[Deadline]:
        # The comparison with `$$NOW` uses the index (a test reads the query plan), so this needs no local clock.
        due: Document = {"status": DeadlineStatus.PENDING.value, "$expr": {"$lte": ["$expires_at", moment]}}
        cursor = self.collection.find(due, {"outbox": 0}).sort("expires_at", ASCENDING).limit(limit)
        return self.to_entities(await cursor.to_list(None))
