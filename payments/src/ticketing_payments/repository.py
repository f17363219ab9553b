"""Every query of the payments database, and the index that each one uses."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import ClassVar, Final

from ticketing_common.entity import utc_now
from ticketing_common.errors import ConcurrentUpdateError
from ticketing_common.events import OrderData
from ticketing_common.storage import (
    ASCENDING,
    DESCENDING,
    WITHOUT_EVENTS,
    Collection,
    Document,
    DuplicateKeyError,
    Index,
    Outbox,
    Projection,
    Repository,
    batched_lists,
    ensure_indexes,
    reading,
)
from ticketing_common.storage.repository import Publisher

from .domain import ACTIVE_STATUSES, VAIN_STATUSES, Payment, StripeEvent
from .errors import PaymentActiveError, PaymentNotFoundError

__all__ = ["OrderProjection", "PaymentRepository", "StripeEventInbox"]

UPDATE_ATTEMPTS: Final = 8
POLL_SECONDS: Final = 0.05
EPOCH: Final = datetime.fromtimestamp(0, tz=UTC)
KEEP_EVENTS_SECONDS: Final = 30 * 24 * 3600
"""Stripe repeats a webhook for three days at most (https://docs.stripe.com/webhooks)."""


class PaymentRepository(Repository[Payment]):
    """The payments."""

    INDEXES: ClassVar[Sequence[Index]] = (
        Index([("order_id", ASCENDING), ("attempt", DESCENDING)], name="attempts_of_an_order", unique=True),
        # Whoever presses twice, or in two tabs, pays once: this decides, before Stripe is asked.
        Index(
            [("order_id", ASCENDING)],
            name="one_active_payment_per_order",
            unique=True,
            partialFilterExpression={"status": {"$in": [status.value for status in ACTIVE_STATUSES]}},
        ),
        # Attempts that came to nothing, by account and time (`declines.py`).
        Index(
            [("user_id", ASCENDING), ("created_at", DESCENDING)],
            name="vain_attempts_of_an_account",
            partialFilterExpression={"status": {"$in": [status.value for status in VAIN_STATUSES]}},
        ),
        # Only payments with something left to find out are in it.
        Index([("check_at", ASCENDING)], name="to_be_checked", partialFilterExpression={"check_at": {"$gt": EPOCH}}),
    )

    def __init__(self, outbox: Outbox) -> None:
        super().__init__(outbox, Payment)
        active = {"status": {"$in": [status.value for status in ACTIVE_STATUSES]}}
        self._active = batched_lists(self.collection, "order_id", active, WITHOUT_EVENTS)

    async def get(self, entity_id: str) -> Payment:
        """The payment; raises `PaymentNotFoundError`."""
        payment = await self.find(entity_id)
        if payment is None:
            raise PaymentNotFoundError(entity_id)
        return payment

    async def add(self, entity: Payment, *publishers: Publisher[Payment]) -> None:
        """Store a new attempt; raises `PaymentActiveError` when the order has another that is not over."""
        try:
            await super().add(entity, *publishers)
        except DuplicateKeyError:
            raise PaymentActiveError(entity.order_id) from None

    async def change(
        self,
        payment_id: str,
        change: Callable[[Payment], bool],
        news: Callable[[Payment], Sequence[Publisher[Payment]]],
    ) -> Payment:
        """Load, change, save with what is new; again from the start when the race was lost, a bounded number of times.

        Unlike `update`, a change may be stored that nobody else needs to hear of. Nothing is written when `change`
        returns False.
        """
        for _ in range(UPDATE_ATTEMPTS):
            payment = await self.get(payment_id)
            status = payment.status
            if not change(payment):
                return payment
            try:
                await self.save(payment, *(news(payment) if payment.status is not status else ()))
            except ConcurrentUpdateError:
                continue
            return payment
        raise ConcurrentUpdateError

    async def walk(self) -> AsyncIterator[Payment]:
        """Every payment that others have heard of: from the authorisation on, or its end."""
        async for payment in super().walk():
            if payment.paid or payment.over:
                yield payment

    async def find_latest(self, order_id: str) -> Payment | None:
        """The latest attempt to pay this order."""
        with reading(self.collection):
            document = await self.collection.find_one(
                {"order_id": order_id}, WITHOUT_EVENTS, sort=[("attempt", DESCENDING)]
            )
        return self.to_entity(document) if document else None

    async def list_vain(self, user_id: str, *, since: datetime, limit: int) -> list[Payment]:
        """An account's attempts that were begun after that (UTC) and came to nothing, newest first."""
        status = {"$in": [status.value for status in VAIN_STATUSES]}
        query: Document = {"user_id": user_id, "created_at": {"$gt": since}, "status": status}
        with reading(self.collection):
            cursor = self.collection.find(query, WITHOUT_EVENTS).sort("created_at", DESCENDING).limit(limit)
            return [self.to_entity(document) async for document in cursor]

    async def find_active(self, order_id: str) -> Payment | None:
        """The one payment of this order that is not over."""
        active = await self._active(order_id)
        return self.to_entity(active[0]) if active else None

    async def list_to_check(self, now: datetime, *, limit: int) -> list[Payment]:
        """Payments that must be looked at, longest overdue first."""
        query: Document = {"check_at": {"$gt": EPOCH, "$lte": now}}  # the lower bound is the index's own
        cursor = self.collection.find(query, WITHOUT_EVENTS).sort("check_at", ASCENDING).limit(limit)
        return [self.to_entity(document) async for document in cursor]

    async def check_later(self, payment_id: str, at: datetime | None) -> None:
        """Put the next look off, or (None) call it the last; no change of the payment, so `version` stays."""
        await self.collection.update_one({"_id": payment_id}, {"$set": {"check_at": at}})


class OrderProjection(Projection[OrderData]):
    """The orders, as their owner told of them: amount, owner, deadline, and whether they are to be paid."""

    def __init__(self, collection: Collection) -> None:
        super().__init__(collection, OrderData)

    async def wait_for(self, order_id: str, *, seconds: float) -> OrderData | None:
        """The order, as soon as it is known; None when it is not within `seconds`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            order = await self.find(order_id)
            left = deadline - loop.time()
            if order is not None or left <= 0:
                return order
            await asyncio.sleep(min(left, POLL_SECONDS))


class StripeEventInbox:
    """Webhooks that came, each once; kept until long after Stripe stops repeating them."""

    INDEXES: ClassVar[Sequence[Index]] = (
        Index([("received_at", ASCENDING)], name="forget", expireAfterSeconds=KEEP_EVENTS_SECONDS),
        Index(
            [("received_at", ASCENDING), ("applied", ASCENDING)],
            name="unapplied",
            partialFilterExpression={"applied": False},
        ),
    )

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def ensure_indexes(self) -> None:
        """Create what the queries here need; idempotent."""
        await ensure_indexes(self._collection, self.INDEXES)

    async def add(self, event: StripeEvent) -> bool:
        """Store it; False when it came before. The id is the key, so the database's own unique index decides."""
        document: Document = {
            "_id": event.id,
            "type": event.type,
            "payment_id": event.payment_id,
            "received_at": utc_now(),
            "applied": False,
        }
        try:
            await self._collection.insert_one(document)
        except DuplicateKeyError:
            return False
        return True

    async def list_unapplied(self, before: datetime, *, limit: int) -> list[StripeEvent]:
        """Those that were stored before then (UTC) and not applied: whoever took them in did not get further."""
        cursor = (
            self._collection.find({"applied": False, "received_at": {"$lt": before}})
            .sort("received_at", ASCENDING)
            .limit(limit)
        )
        return [StripeEvent(found["_id"], found["type"], found["payment_id"]) async for found in cursor]

    async def mark_applied(self, event_id: str) -> None:
        """It need not be looked at again."""
        await self._collection.update_one({"_id": event_id}, {"$set": {"applied": True}})
