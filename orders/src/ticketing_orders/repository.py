"""Every query of the orders database, and the index that each one uses."""

from collections.abc import Sequence
from typing import ClassVar

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
    reading,
)
from ticketing_common.storage.repository import Publisher
from ticketing_common.web.pagination import Page, PageRequest, instant_key

from .domain import ACTIVE_STATUSES, Order
from .errors import HeldBeforeError, HoldSlotTakenError, OrderNotFoundError, TicketReservedError

__all__ = ["OrderRepository", "PaymentProjection", "TicketProjection"]


class OrderRepository(Repository[Order]):
    """The orders."""

    INDEXES: ClassVar[Sequence[Index]] = (
        # The judge of who has a ticket. It also serves the search for the unpaid order of a ticket.
        Index(
            [("ticket.id", ASCENDING)],
            name="one_active_order_per_ticket",
            unique=True,
            partialFilterExpression={"status": {"$in": [status.value for status in ACTIVE_STATUSES]}},
        ),
        Index([("user_id", ASCENDING), ("created_at", DESCENDING), ("_id", DESCENDING)], name="user_newest_first"),
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
    )

    def __init__(self, outbox: Outbox) -> None:
        super().__init__(outbox, Order)

    async def get(self, entity_id: str) -> Order:
        """The order; raises `OrderNotFoundError`."""
        order = await self.find(entity_id)
        if order is None:
            raise OrderNotFoundError(entity_id)
        return order

    async def add(self, entity: Order, *publishers: Publisher[Order]) -> None:
        """Store a new order with its events.

        This one insert decides who gets the ticket: raises `TicketReservedError` when an active order has it, and
        `HoldSlotTakenError` and `HeldBeforeError` when another order of the account has its slot or turn.
        """
        try:
            await super().add(entity, *publishers)
        except DuplicateKeyError as error:
            fields = (error.details or {}).get("keyPattern", {})
            if "slot" in fields:
                raise HoldSlotTakenError from None
            if "turn" in fields:
                raise HeldBeforeError from None
            raise TicketReservedError(entity.ticket.id) from None

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

    async def find_unpaid(self, ticket_id: str) -> Order | None:
        """The order that holds this ticket and waits for its payment; the index above allows one at most."""
        document = await self.collection.find_one(
            {"ticket.id": ticket_id, "status": OrderStatus.CREATED.value}, WITHOUT_EVENTS
        )
        return self.to_entity(document) if document else None

    async def find_active(self, ticket_id: str) -> Order | None:
        """The order that has this ticket, paid or not; the same index allows one at most."""
        active = {"$in": [status.value for status in ACTIVE_STATUSES]}
        with reading(self.collection):
            document = await self.collection.find_one({"ticket.id": ticket_id, "status": active}, WITHOUT_EVENTS)
        return self.to_entity(document) if document else None

    async def list_of_user(self, user_id: str, page: PageRequest) -> Page[Order]:
        """A page of a user's orders, newest first. Raises `InvalidInputError` for a made-up cursor."""
        query: Document = {"user_id": user_id}
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


class TicketProjection(Projection[TicketData]):
    """The tickets, as their owner published them."""

    def __init__(self, collection: Collection) -> None:
        super().__init__(collection, TicketData)


class PaymentProjection(Projection[PaymentData]):
    """The payments, as their owner told of them; so an authorisation that arrives after its own failure is no news."""

    def __init__(self, collection: Collection) -> None:
        super().__init__(collection, PaymentData)
