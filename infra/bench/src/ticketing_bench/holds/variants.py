"""Five ways to let one of many buyers have a ticket. All of them store the same order with the same event.

What they share is left out of all of them: nobody reads the ticket first, and nobody publishes. All writes are
acknowledged by a majority and journalled, as the client of the services asks.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Final

from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern
from redis.asyncio import Redis
from redis.exceptions import LockError

from ticketing_common.events import TicketData
from ticketing_common.storage import Collection, Database, Document, Outbox, OutboxEntry
from ticketing_orders.domain import ACTIVE_STATUSES, Order
from ticketing_orders.errors import TicketReservedError
from ticketing_orders.publishers import order_created
from ticketing_orders.repository import OrderRepository

__all__ = ["VARIANTS", "Attempt", "Outcome", "Variant"]

WINDOW_SECONDS: Final = 900
LOCK_SECONDS: Final = 10.0
"""How long a lock lasts when nobody releases it."""
LOCK_WAIT_SECONDS: Final = 2.0
LOCK_POLL_SECONDS: Final = 0.005
ONE_ACTIVE: Final = "one_active_order_per_ticket"


class Outcome(StrEnum):
    """What became of an attempt."""

    HELD = "held"
    LOST = "lost race"
    LOCK_TIMEOUT = "lock timeout"
    FAILED = "database error"


@dataclass(frozen=True)
class Attempt:
    """`conflicts` is how often the work had to be done again before it was decided."""

    outcome: Outcome
    conflicts: int = 0


class Variant:
    """One way; without a guard of its own it is no way at all: look first, write later."""

    NAME: ClassVar[str] = "no guard: look, then insert"
    OVERSELLS: ClassVar[bool] = True
    """Expected to sell a ticket twice, which shows that the check would see it."""

    def __init__(self, database: Database, redis: Redis | None = None) -> None:
        self.database = database
        self.redis = redis
        self.orders = OrderRepository(Outbox(database["orders"]))
        self.tickets: Collection = database["tickets"]

    async def prepare(self) -> None:
        """The product's indexes; where another guard is on trial, its unique one only as a plain one."""
        await self.orders.ensure_indexes()
        if not isinstance(self, UniqueIndex):
            await self.orders.collection.drop_index(ONE_ACTIVE)
            await self.orders.collection.create_index("ticket.id")

    async def hold(self, ticket: TicketData, user_id: str) -> Attempt:
        """One buyer tries to have the ticket."""
        if await self._is_held(ticket):
            return Attempt(Outcome.LOST)
        return await self._insert(_order(ticket, user_id))

    async def _is_held(self, ticket: TicketData, session: Any = None) -> bool:
        active: Document = {"$in": [status.value for status in ACTIVE_STATUSES]}
        query = {"ticket.id": ticket.id, "status": active}
        return await self.orders.collection.find_one(query, {"_id": 1}, session=session) is not None

    async def _insert(self, order: Order) -> Attempt:
        try:
            await self.orders.add(order, order_created)
        except TicketReservedError:
            return Attempt(Outcome.LOST)
        return Attempt(Outcome.HELD)


class UniqueIndex(Variant):
    """The product: nothing is looked up, the insert meets the unique partial index."""

    NAME = "unique index, one insert"
    OVERSELLS = False

    async def hold(self, ticket: TicketData, user_id: str) -> Attempt:
        """The product's own repository decides."""
        return await self._insert(_order(ticket, user_id))


class RedisLock(Variant):
    """A lock per ticket around looking and inserting; redis-py's own."""

    NAME = "Redis lock"
    OVERSELLS = False
    lock_seconds: float = LOCK_SECONDS

    async def hold(self, ticket: TicketData, user_id: str) -> Attempt:
        """Wait for the lock, then as without a guard."""
        if self.redis is None:
            raise RuntimeError("this variant needs Redis")
        lock = self.redis.lock(
            f"ticket:{ticket.id}",
            timeout=self.lock_seconds,
            sleep=LOCK_POLL_SECONDS,
            blocking_timeout=LOCK_WAIT_SECONDS,
        )
        if not await lock.acquire():
            return Attempt(Outcome.LOCK_TIMEOUT)
        try:
            return await super().hold(ticket, user_id)
        finally:
            with suppress(LockError):  # it had run out: the harm, if any, is done
                await lock.release()


class CheckInTransaction(Variant):
    """Looking and inserting in one transaction, and nothing else.

    Two of them that insert different orders write different documents, so there is nothing for MongoDB to see.
    """

    NAME = "transaction: look, insert"
    touches_ticket: ClassVar[bool] = False

    async def hold(self, ticket: TicketData, user_id: str) -> Attempt:
        """With the driver's own `with_transaction`, which begins again on a write conflict."""
        runs = 0

        async def work(session: Any) -> Outcome:
            nonlocal runs
            runs += 1
            if await self._is_held(ticket, session):
                return Outcome.LOST
            if self.touches_ticket:
                await self.tickets.update_one({"_id": ticket.id}, {"$inc": {"version": 1}}, session=session)
            order = _order(ticket, user_id)
            order.version = 1
            entry = OutboxEntry.of(order_created(order))
            document = {**self.orders.to_document(order), "outbox": [entry.to_document()]}
            await self.orders.collection.insert_one(document, session=session)
            return Outcome.HELD

        try:
            async with await self.database.client.start_session() as session:
                outcome: Outcome = await session.with_transaction(work, read_concern=ReadConcern("snapshot"))
        except PyMongoError:
            return Attempt(Outcome.FAILED, max(0, runs - 1))
        return Attempt(outcome, runs - 1)


class Transaction(CheckInTransaction):
    """The same, and the ticket's document is written too: the one thing that both sides of a race have in common."""

    NAME = "transaction that also writes the ticket"
    OVERSELLS = False
    touches_ticket = True


VARIANTS: Final[Mapping[str, type[Variant]]] = {
    "index": UniqueIndex,
    "lock": RedisLock,
    "transaction": Transaction,
    "check-in-transaction": CheckInTransaction,
    "no-guard": Variant,
}


def _order(ticket: TicketData, user_id: str) -> Order:
    return Order.place(ticket, user_id=user_id, window_seconds=WINDOW_SECONDS)
