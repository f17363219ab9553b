"""All queries of the payments database, and the index that each query uses."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import ClassVar, Final

from ticketing_common.entity import utc_now
from ticketing_common.errors import ConcurrentUpdateError
from ticketing_common.events import OrderData, PaymentStatus
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
    UpdateOne,
    batched_insert,
    batched_lists,
    batched_write,
    reading,
)
from ticketing_common.storage.repository import UPDATE_ATTEMPTS, Publisher
from ticketing_common.storage.store import Store

from .domain import ACTIVE_STATUSES, UNSUCCESSFUL_STATUSES, Payment, StripeEvent
from .errors import PaymentActiveError

EPOCH: Final = datetime.fromtimestamp(0, tz=UTC)
KEEP_EVENTS_SECONDS: Final = 30 * 24 * 3600
"""Stripe repeats a webhook for three days at most (https://docs.stripe.com/webhooks)."""


UNREADABLE_AFTER: Final = timedelta(hours=1)
"""Delay before the next check of a document that cannot be read, so that it does not block the others."""
FIRST_RETRY: Final = timedelta(seconds=5)
LONGEST_RETRY: Final = timedelta(hours=1)
CURSOR: Final = "cursor"


class PaymentRepository(Repository[Payment]):
    """Stores payments with their unpublished events."""

    INDEXES: ClassVar[Sequence[Index]] = (
        Index([("order_id", ASCENDING), ("attempt", DESCENDING)], name="attempts_of_an_order", unique=True),
        # Concurrent requests for one order create one payment: this index decides, before any call to Stripe.
        Index(
            [("order_id", ASCENDING)],
            name="one_active_payment_per_order",
            unique=True,
            partialFilterExpression={"status": {"$in": [status.value for status in ACTIVE_STATUSES]}},
        ),
        # Failed attempts, by account and time (`declines.py`).
        Index(
            [("user_id", ASCENDING), ("created_at", DESCENDING)],
            name="vain_attempts_of_an_account",
            partialFilterExpression={"status": {"$in": [status.value for status in UNSUCCESSFUL_STATUSES]}},
        ),
        # Refunds and disputes name the PaymentIntent only.
        Index([("stripe_id", ASCENDING)], name="by_intent", partialFilterExpression={"stripe_id": {"$gt": ""}}),
        # Contains only payments with a client secret. `forget_secrets` searches it for secrets that must be removed.
        Index([("status", ASCENDING)], name="with_secret", partialFilterExpression={"client_secret": {"$gt": ""}}),
        # Contains only payments with a check due in the future or the past; settled payments are not in it.
        Index([("check_at", ASCENDING)], name="to_be_checked", partialFilterExpression={"check_at": {"$gt": EPOCH}}),
    )

    def __init__(self, outbox: Outbox) -> None:
        super().__init__(outbox, Payment)
        active = {"status": {"$in": [status.value for status in ACTIVE_STATUSES]}}
        self._active = batched_lists(self.collection, "order_id", active, WITHOUT_EVENTS)
        self._attempts = batched_lists(self.collection, "order_id", {}, WITHOUT_EVENTS)  # limited by `declines.py`

    async def add(self, entity: Payment, *publishers: Publisher[Payment]) -> None:
        """Store a new attempt. Raises `PaymentActiveError` if the order has another active payment."""
        try:
            await super().add(entity, *publishers)
        except DuplicateKeyError:
            raise PaymentActiveError(entity.order_id) from None

    async def change(
        self,
        loaded: Payment,
        change: Callable[[Payment], bool],
        choose_publisher: Callable[[Payment, Payment], Publisher[Payment] | None],
    ) -> tuple[Payment, Payment]:
        """Change a payment and save it with the event. Returns it before and after the change.

        `choose_publisher` gets both. Unlike `update`, this may store a change without an event. Nothing is written if
        `change` returns False. `loaded` may be outdated: after a lost compare-and-swap, and if it needs no change, the
        payment is loaded and changed again, up to `UPDATE_ATTEMPTS` times in all.

        Raises `NotFoundError` and `ConcurrentUpdateError`.
        """
        for attempt in range(UPDATE_ATTEMPTS):
            before = await self.get(loaded.id) if attempt else loaded
            after = replace(before)
            if not change(after):
                if attempt:
                    return before, after
                continue
            publish = choose_publisher(before, after)
            try:
                await self.save(after, *(() if publish is None else (publish,)))
            except ConcurrentUpdateError:
                continue
            return before, after
        raise ConcurrentUpdateError

    async def walk(self) -> AsyncIterator[Payment]:
        """All payments that were published: authorised, captured, or over."""
        async for payment in super().walk():
            if payment.paid or payment.over:
                yield payment

    async def find_latest(self, order_id: str) -> Payment | None:
        """The latest attempt to pay this order."""
        attempts = await self._attempts(order_id)
        return self.to_entity(max(attempts, key=itemgetter("attempt"))) if attempts else None

    async def list_unsuccessful(self, user_id: str, *, since: datetime, limit: int) -> list[Payment]:
        """The account's failed attempts created after `since` (UTC), newest first."""
        status = {"$in": [status.value for status in UNSUCCESSFUL_STATUSES]}
        query: Document = {"user_id": user_id, "created_at": {"$gt": since}, "status": status}
        with reading(self.collection):
            cursor = self.collection.find(query, WITHOUT_EVENTS).sort("created_at", DESCENDING).limit(limit)
            return [self.to_entity(document) async for document in cursor]

    async def find_active(self, order_id: str) -> Payment | None:
        """The active payment of this order; the unique index allows one."""
        active = await self._active(order_id)
        return self.to_entity(active[0]) if active else None

    async def list_to_check(self, now: datetime, *, limit: int) -> list[Payment]:
        """Payments whose check is due at `now` (UTC), longest overdue first."""
        query: Document = {"check_at": {"$gt": EPOCH, "$lte": now}}  # the lower bound matches the partial index
        cursor = self.collection.find(query, WITHOUT_EVENTS).sort("check_at", ASCENDING).limit(limit)
        documents = await cursor.to_list(None)
        due = self.to_entities(documents)
        for unreadable in {document["_id"] for document in documents} - {payment.id for payment in due}:
            await self.check_later(unreadable, now + UNREADABLE_AFTER)
        return due

    async def find_by_intent(self, stripe_id: str) -> Payment | None:
        """The payment of this PaymentIntent."""
        document = await self.collection.find_one({"stripe_id": stripe_id}, WITHOUT_EVENTS)
        return self.to_entity(document) if document else None

    async def check_later(self, payment_id: str, at: datetime) -> None:
        """Postpone the next check to `at` (UTC). The payment's state does not change, so `version` stays."""
        await self.collection.update_one({"_id": payment_id}, {"$set": {"check_at": at}})

    async def settle(self, payment: Payment) -> None:
        """Remove the next check, unless the payment has changed since it was read. `version` stays here too."""
        seen = {"_id": payment.id, "version": payment.version}
        await self.collection.update_one(seen, {"$set": {"check_at": None}})

    async def forget_secrets(self) -> int:
        """Remove client secrets that are no longer usable. Returns how many were removed.

        The current release removes each secret at the step that ends its use. The ones found here were left by an
        earlier release, or by a replica that still runs it.
        """
        waiting = [PaymentStatus.INITIATED.value, PaymentStatus.REQUIRES_ACTION.value]
        ended = [status.value for status in PaymentStatus if status.value not in waiting]
        # The lower bound matches the partial index.
        old: Document = {"client_secret": {"$gt": ""}, "status": {"$in": ended}}
        result = await self.collection.update_many(old, {"$set": {"client_secret": None}})
        return int(result.modified_count)


class OrderProjection(Projection[OrderData]):
    """Projection of the orders: amount, buyer, deadline and status."""

    INDEXES: ClassVar[Sequence[Index]] = (
        # Orders that name no buyer any more, whose payments may still do (`retention.py`).
        Index([("payments_forgotten", ASCENDING)], name="without_buyer", partialFilterExpression={"user_id": ""}),
    )

    def __init__(self, collection: Collection, is_caught_up: Callable[[], Awaitable[bool]] | None = None) -> None:
        super().__init__(collection, OrderData, is_caught_up)


class StripeEventInbox(Store):
    """Stripe's events from webhooks and from Stripe's list, each stored once and kept for 30 days.

    One more document is the cursor: how far the list was read. It has no `received_at`, so the TTL index never removes
    it.
    """

    INDEXES: ClassVar[Sequence[Index]] = (
        Index([("received_at", ASCENDING)], name="forget", expireAfterSeconds=KEEP_EVENTS_SECONDS),
        Index([("due_at", ASCENDING)], name="unapplied_due", partialFilterExpression={"applied": False}),
    )

    def __init__(self, collection: Collection) -> None:
        super().__init__(collection)
        self._insert = batched_insert(collection)
        self._write = batched_write(collection)

    async def add(self, event: StripeEvent) -> bool:
        """Store the event; False if it was stored before. The event id is the `_id`, so its unique index decides.

        An event of a refund or dispute that an earlier release stored without its names is stored again, with them.
        """
        now = utc_now()
        names: Document = {
            "type": event.type,
            "payment_id": event.payment_id,
            "intent_id": event.intent_id,
            "charge_id": event.charge_id,
            "applied": event.applied,
            "due_at": now + FIRST_RETRY,
            "tries": 0,
        }
        try:
            await self._insert({"_id": event.id, "received_at": now, **names})
        except DuplicateKeyError:
            if not event.money_back:
                return False
            result = await self.collection.update_one(
                {"_id": event.id, "intent_id": {"$exists": False}}, {"$set": names}
            )
            return bool(result.modified_count)
        return True

    async def list_unapplied(self, now: datetime, *, limit: int) -> list[StripeEvent]:
        """Events that are due at `now` (UTC) and not applied yet, because the process that stored them failed."""
        # An earlier release stored no `due_at`; an event without one is due.
        query: Document = {"applied": False, "due_at": {"$not": {"$gt": now}}}
        cursor = self.collection.find(query).sort("due_at", ASCENDING).limit(limit)
        return [_event(found) async for found in cursor]

    async def mark_applied(self, event_id: str) -> None:
        """Mark the event as applied, so that it is not retried."""
        await self._write(UpdateOne({"_id": event_id}, {"$set": {"applied": True}}))

    async def retry_later(self, event_id: str) -> None:
        """Delay the next try, from 5 s up to 1 h, so that an event that always fails does not block the others."""
        # The database counts the tries, so replicas share the count: 5 s, doubled for each earlier try.
        tries = {"$ifNull": ["$tries", 0]}
        wait = {"$min": [{"$multiply": [_ms(FIRST_RETRY), {"$pow": [2, {"$min": [tries, 20]}]}]}, _ms(LONGEST_RETRY)]}
        change = {"tries": {"$add": [tries, 1]}, "due_at": {"$add": ["$$NOW", wait]}}
        await self.collection.update_one({"_id": event_id, "applied": False}, [{"$set": change}])

    async def read_until(self) -> int | None:
        """The cursor: time of the newest event read from Stripe's list (Unix seconds), None before the first read."""
        found = await self.collection.find_one({"_id": CURSOR})
        return int(found["created"]) if found else None

    async def move_cursor(self, created: int) -> None:
        """Advance the cursor to `created` (Unix seconds). `$max` keeps a slower replica from moving it back."""
        await self.collection.update_one({"_id": CURSOR}, {"$max": {"created": created}}, upsert=True)


def _ms(time: timedelta) -> int:
    return int(time.total_seconds() * 1000)


def _event(found: Document) -> StripeEvent:
    return StripeEvent(
        found["_id"],
        str(found.get("type")),
        payment_id=_name(found, "payment_id"),
        intent_id=_name(found, "intent_id"),
        charge_id=_name(found, "charge_id"),
    )


def _name(found: Document, field: str) -> str | None:
    """The field if it is a string, else None: an earlier release stored unchecked values."""
    name = found.get(field)
    return name if isinstance(name, str) else None
