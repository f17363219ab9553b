"""Every query of the orders database, and the index that each one uses."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import ClassVar, Final

from ticketing_common.events import OrderStatus, PaymentData, TicketData
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
    aggregate,
    batched,
    reading,
)
from ticketing_common.storage.repository import Publisher
from ticketing_common.web.pagination import Page, PageRequest, instant_key

from .domain import ACTIVE_STATUSES, Order
from .errors import HeldBeforeError, HoldSlotTakenError, OrderNotFoundError, SeatTakenError

ONE_ORDER_PER_TICKET: Final = "one_active_order_per_ticket"
"""The index of the versions in which a listing had one seat."""
ACTIVE: Final[Document] = {"$in": [status.value for status in ACTIVE_STATUSES]}

SEATS: Final[Document] = {"$ifNull": ["$seats", [1]]}
"""In a pipeline: the seats of an order; those of earlier versions have seat 1."""
ENDED_COMPLETE: Final[Document] = {"status": OrderStatus.CANCELLED.value, "payment_id": {"$type": "string"}}
"""Only a payment that completed the order is named in it."""
WITH_BUYER: Final[Document] = {"user_id": {"$gt": ""}}
UNPAID_WITH_BUYER: Final[Document] = {"status": OrderStatus.CANCELLED.value, "payment_id": None, **WITH_BUYER}
SOLD_WITH_BUYER: Final[Document] = {"payment_id": {"$gt": ""}, **WITH_BUYER}
ALL_PUBLISHED: Final[Document] = {"outbox.0": {"$exists": False}, "outbox_parked.0": {"$exists": False}}
"""Every event of the order is published."""
FORGET_AT_ONCE: Final = 200


class OrderRepository(Repository[Order]):
    """The orders, each stored with the keys of its seats for the unique index.

    The key of a seat is its number, and null for seat 1: the index treats a document without `seat_keys` as null. So
    orders that earlier versions wrote, and still write during a roll-out, have seat 1 without a migration (decision
    0015). The index compares documents and not the elements of one array: `free_seats.py` must not choose a seat twice
    for one order.
    """

    INDEXES: ClassVar[Sequence[Index]] = (
        # Decides which order has a seat. It also serves the queries for the orders of a listing.
        Index(
            [("ticket.id", ASCENDING), ("seat_keys", ASCENDING)],
            name="one_active_order_per_seat",
            unique=True,
            partialFilterExpression={"status": ACTIVE},
        ),
        Index([("user_id", ASCENDING), ("created_at", DESCENDING), ("_id", DESCENDING)], name="user_newest_first"),
        # The paid orders of a listing, for its seller. An unpaid hold costs no key here.
        Index(
            [("ticket.id", ASCENDING), ("created_at", DESCENDING), ("_id", DESCENDING)],
            name="sales_newest_first",
            partialFilterExpression={"status": OrderStatus.COMPLETE.value},
        ),
        # How many holds one account may have open, and how often it may hold one ticket (`account_holds.py`).
        Index(
            [("user_id", ASCENDING), ("slot", ASCENDING)],
            name="one_open_hold_per_slot",
            unique=True,
            partialFilterExpression={"status": OrderStatus.CREATED.value, "slot": {"$gte": 0}},
        ),
        Index(
            [("user_id", ASCENDING), ("ticket.id", ASCENDING), ("turn", ASCENDING)],
            name="one_hold_per_turn",
            unique=True,
            partialFilterExpression={"turn": {"$gte": 0}},
        ),
        # The orders of a listing that were complete and ended, whose passes are void.
        Index(
            [("ticket.id", ASCENDING), ("_id", ASCENDING)], name="void_passes", partialFilterExpression=ENDED_COMPLETE
        ),
        # What still names its buyer (`retention.py`); an open hold costs no key here.
        Index([("updated_at", ASCENDING)], name="unpaid_with_buyer", partialFilterExpression=UNPAID_WITH_BUYER),
        Index(
            [("status", ASCENDING), ("updated_at", ASCENDING)],
            name="sold_with_buyer",
            partialFilterExpression=SOLD_WITH_BUYER,
        ),
    )

    SUPERSEDED_INDEXES: ClassVar[Sequence[str]] = (ONE_ORDER_PER_TICKET,)

    def __init__(self, outbox: Outbox) -> None:
        super().__init__(outbox, Order)
        self.taken_seats = batched(self.collection, "aggregate", self._taken_seats)
        """Returns the numbers of the seats that active orders of a listing have; each seat once."""

    def to_document(self, entity: Order) -> Document:
        """The order as stored, with the keys of its seats."""
        keys = [_seat_key(seat) for seat in entity.seats]
        return super().to_document(entity) | {"seat_keys": keys}

    async def get(self, entity_id: str) -> Order:
        """The order; raises `OrderNotFoundError`."""
        order = await self.find(entity_id)
        if order is None:
            raise OrderNotFoundError(entity_id)
        return order

    async def add(self, entity: Order, *publishers: Publisher[Order]) -> None:
        """Store a new order with its events.

        This one insert decides which order gets the seats. Raises `SeatTakenError` when an active order has one of
        them, and `HoldSlotTakenError` and `HeldBeforeError` when another order of the account has its slot or turn.
        """
        try:
            await super().add(entity, *publishers)
        except DuplicateKeyError as error:
            if (error.details or {}).get("keyPattern") != {"ticket.id": 1}:
                raise _refusal(error) from None
        else:
            return
        # A replica of the earlier version started after this one and created its index again.
        await self.ensure_indexes()
        try:
            await super().add(entity, *publishers)
        except DuplicateKeyError as error:
            raise _refusal(error) from None

    async def list_open_holds(self, user_id: str) -> list[Order]:
        """The unpaid orders of an account that have a slot, soonest to expire first; no more than there are slots."""
        query: Document = {"user_id": user_id, "status": OrderStatus.CREATED.value, "slot": {"$gte": 0}}
        with reading(self.collection):
            found = [self.to_entity(document) async for document in self.collection.find(query, WITHOUT_EVENTS)]
        return sorted(found, key=lambda order: order.expires_at)

    async def list_turns(self, user_id: str, ticket_id: str, *, limit: int) -> list[Order]:
        """The last orders of an account for one ticket, the highest turn first."""
        query: Document = {"user_id": user_id, "ticket.id": ticket_id, "turn": {"$gte": 0}}
        cursor = self.collection.find(query, WITHOUT_EVENTS).sort("turn", DESCENDING).limit(limit)
        with reading(self.collection):
            return [self.to_entity(document) async for document in cursor]

    async def list_unpaid(self, ticket_id: str) -> list[str]:
        """The ids of the unpaid orders that hold seats of this listing."""
        return await self._list_ids(ticket_id, OrderStatus.CREATED.value)

    async def list_active(self, ticket_id: str) -> list[str]:
        """The ids of the orders that hold or have bought seats of this listing."""
        return await self._list_ids(ticket_id, ACTIVE)

    async def _list_ids(self, ticket_id: str, status: Document | str) -> list[str]:
        query: Document = {"ticket.id": ticket_id, "status": status}
        return [document["_id"] async for document in self.collection.find(query, {"_id": 1})]

    async def find_active(self, ticket_id: str) -> Order | None:
        """The order that has the seat of a listing with one seat, paid or not."""
        with reading(self.collection):
            document = await self.collection.find_one({"ticket.id": ticket_id, "status": ACTIVE}, WITHOUT_EVENTS)
        return self.to_entity(document) if document else None

    async def find_holder(self, ticket_id: str, seat: int) -> Order | None:
        """The active order that has this seat."""
        query: Document = {"ticket.id": ticket_id, "seat_keys": _seat_key(seat), "status": ACTIVE}
        with reading(self.collection):
            document = await self.collection.find_one(query, WITHOUT_EVENTS)
        return self.to_entity(document) if document else None

    async def count_sold(self, ticket_id: str) -> int:
        """How many seats of a listing complete orders have."""
        pipeline: list[Document] = [
            {"$match": {"ticket.id": ticket_id, "status": OrderStatus.COMPLETE.value}},
            {"$group": {"_id": None, "seats": {"$sum": {"$size": SEATS}}}},
        ]
        with reading(self.collection):
            groups = await aggregate(self.collection, pipeline)
        return int(groups[0]["seats"]) if groups else 0

    async def list_ended(self, ticket_id: str) -> list[tuple[str, tuple[int, ...]]]:
        """Id and seats of the orders of a listing that were complete and ended, the oldest first."""
        cursor = self.collection.find({"ticket.id": ticket_id, **ENDED_COMPLETE}, {"seats": 1}).sort("_id", ASCENDING)
        with reading(self.collection):
            found = await cursor.to_list(None)
        return [(document["_id"], tuple(document.get("seats", (1,)))) for document in found]

    async def _taken_seats(self, ticket_ids: Sequence[str]) -> list[list[int]]:
        pipeline: list[Document] = [
            {"$match": {"ticket.id": {"$in": sorted(set(ticket_ids))}, "status": ACTIVE}},
            {"$group": {"_id": "$ticket.id", "seats": {"$push": SEATS}}},
        ]
        with reading(self.collection):
            groups = await aggregate(self.collection, pipeline)
        found = {group["_id"]: [seat for seats in group["seats"] for seat in seats] for group in groups}
        return [found.get(ticket_id, []) for ticket_id in ticket_ids]

    async def walk_over(self, *, unpaid_before: datetime, sold_before: datetime) -> AsyncIterator[list[Order]]:
        """The orders that name their buyer and are over, in batches, the oldest first. Times in UTC.

        Those that never were complete and ended before `unpaid_before`; those that were, and ended before
        `sold_before`; and the complete ones that were last changed, and whose event began, before `sold_before`, unless
        a dispute is open. None that has an unpublished event.
        """
        unpaid: Document = {**UNPAID_WITH_BUYER, "updated_at": {"$lt": unpaid_before}}
        ended: Document = {**SOLD_WITH_BUYER, "status": OrderStatus.CANCELLED.value}
        complete: Document = {
            **SOLD_WITH_BUYER,
            "status": OrderStatus.COMPLETE.value,
            "ticket.starts_at": {"$not": {"$gte": sold_before}},
            "disputed": {"$ne": True},
        }
        for query in (unpaid, *({**one, "updated_at": {"$lt": sold_before}} for one in (ended, complete))):
            cursor = self.collection.find({**query, **ALL_PUBLISHED}, WITHOUT_EVENTS).sort("updated_at", ASCENDING)
            try:
                while documents := await cursor.to_list(FORGET_AT_ONCE):
                    yield self.to_entities(documents)
            finally:
                await cursor.close()

    async def list_of_user(self, user_id: str, page: PageRequest) -> Page[Order]:
        """A page of a user's orders, newest first. Raises `InvalidInputError` for a made-up cursor."""
        return await self._newest_first({"user_id": user_id}, page)

    async def list_sales(self, ticket_id: str, page: PageRequest) -> Page[Order]:
        """A page of a listing's paid orders, newest first. Raises `InvalidInputError` for a made-up cursor."""
        return await self._newest_first({"ticket.id": ticket_id, "status": OrderStatus.COMPLETE.value}, page)

    async def _newest_first(self, query: Document, page: PageRequest) -> Page[Order]:
        if after := page.position(instant_key):
            created_at, order_id = after
            query["created_at"] = {"$lte": created_at}
            query["$or"] = [{"created_at": {"$lt": created_at}}, {"_id": {"$lt": order_id}}]
        cursor = (
            self.collection.find(query, WITHOUT_EVENTS)
            .sort([("created_at", DESCENDING), ("_id", DESCENDING)])
            .limit(page.limit + 1)
        )
        with reading(self.collection):
            orders = [self.to_entity(document) async for document in cursor]
        return Page.cut(orders, page.limit, lambda last: (last.created_at, last.id))


def _seat_key(seat: int) -> int | None:
    return None if seat == 1 else seat


def _refusal(error: DuplicateKeyError) -> Exception:
    """The error for the index that refused the insert; the driver's own error for any other index, such as `_id`."""
    details = error.details or {}
    fields = details.get("keyPattern", {})
    if "slot" in fields:
        return HoldSlotTakenError()
    if "turn" in fields:
        return HeldBeforeError()
    if "seat_keys" in fields:
        return SeatTakenError(details["keyValue"]["seat_keys"] or 1)
    return error


class TicketProjection(Projection[TicketData]):
    """The tickets, as their owner published them."""

    def __init__(self, collection: Collection, is_caught_up: Callable[[], Awaitable[bool]] | None = None) -> None:
        super().__init__(collection, TicketData, is_caught_up)


class PaymentProjection(Projection[PaymentData]):
    """The payments, as their owner published them; so an authorisation that arrives after its failure is ignored.

    Stored without the buyer, which the order names. The field stays, empty, since earlier versions require it.
    """

    INDEXES: ClassVar[Sequence[Index]] = (
        # Documents that an earlier version wrote.
        Index([("user_id", ASCENDING)], name="with_buyer", partialFilterExpression=WITH_BUYER),
    )

    def __init__(self, collection: Collection) -> None:
        super().__init__(collection, PaymentData)

    def to_document(self, data: PaymentData) -> Document:
        """The payment as stored, without the buyer."""
        return super().to_document(data) | {"user_id": ""}

    async def forget_buyers(self) -> int:
        """Remove the buyer from documents that an earlier version wrote, or still writes. Returns their number."""
        forgotten = 0
        while found := await self.collection.find(WITH_BUYER, {"_id": 1}).limit(FORGET_AT_ONCE).to_list(None):
            ids = [document["_id"] for document in found]
            result = await self.collection.update_many({"_id": {"$in": ids}}, {"$set": {"user_id": ""}})
            forgotten += result.modified_count
        return forgotten
