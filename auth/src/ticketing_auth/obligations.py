"""What keeps a person from leaving: open orders, and sold seats of events to come, as far as orders has published."""

from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar, Final

from pydantic import BaseModel, ConfigDict

from ticketing_common.entity import utc_now
from ticketing_common.events import EventData, OrderData, OrderStatus
from ticketing_common.events.envelope import EventTime
from ticketing_common.storage import ASCENDING, Collection, Document, Index, Projection, reading

KEPT: Final = timedelta(days=8)
"""How long an order is stored after it no longer keeps its buyer and seller from leaving: longer than the stream can
deliver its events again."""


class ObligationTicket(BaseModel):
    """Of a listing: its seller and the beginning of its event."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    user_id: str | None = None
    starts_at: EventTime | None = None


class Obligation(EventData):
    """Of an order, no more than the check needs."""

    status: OrderStatus
    user_id: str
    ticket: ObligationTicket


class Obligations(Projection[Obligation]):
    """The projection of the orders, each for its buyer and its seller.

    Auth asks no other service. An order of the last moment may therefore be unknown here: then the account is deleted,
    the hold expires or is paid, and the order stays with its ids.
    """

    INDEXES: ClassVar[Sequence[Index]] = (
        Index([("user_id", ASCENDING), ("status", ASCENDING)], name="buyer_status"),
        Index([("ticket.user_id", ASCENDING), ("status", ASCENDING), ("ticket.starts_at", ASCENDING)], name="seller"),
        Index([("forgotten_at", ASCENDING)], name="expiry", expireAfterSeconds=0),
    )

    def __init__(self, collection: Collection) -> None:
        super().__init__(collection, Obligation)

    async def follow(self, orders: Sequence[OrderData]) -> None:
        """Apply the states of different orders, where they are newer."""
        await self.apply_all([Obligation.model_validate(order, from_attributes=True) for order in orders])

    async def count_holds(self, user_id: str) -> int:
        """How many unpaid orders the person has, or has on a listing of theirs."""
        created = OrderStatus.CREATED.value
        with reading(self.collection):
            held = await self.collection.count_documents({"user_id": user_id, "status": created})
            return held + await self.collection.count_documents({"ticket.user_id": user_id, "status": created})

    async def count_sales_to_come(self, user_id: str) -> int:
        """How many paid orders of events that have not begun the person's listings have; without a date none counts."""
        query: Document = {
            "ticket.user_id": user_id,
            "status": OrderStatus.COMPLETE.value,
            "ticket.starts_at": {"$gt": utc_now()},
        }
        with reading(self.collection):
            return await self.collection.count_documents(query)

    def to_document(self, data: Obligation) -> Document:
        """As stored. An order that is over is removed by a TTL index."""
        over_at = None
        if data.status is OrderStatus.CANCELLED:
            over_at = utc_now()
        elif data.status is OrderStatus.COMPLETE:
            over_at = max(utc_now(), data.ticket.starts_at or utc_now())
        return super().to_document(data) | {"forgotten_at": over_at + KEPT if over_at else None}
