"""Events of the tickets service: a listing and its state."""

from enum import StrEnum

from pydantic import Field

from .envelope import Event, EventData, EventTime

__all__ = ["TicketCreated", "TicketData", "TicketDeleted", "TicketEvent", "TicketStatus", "TicketUpdated"]


class TicketStatus(StrEnum):
    """The state of a listing; `deleted` appears in events only, never in responses."""

    AVAILABLE = "available"
    HELD = "held"
    SOLD = "sold"
    DELETED = "deleted"


class TicketData(EventData):
    """A listing. Money in integer cents, times in UTC."""

    title: str
    description: str | None
    venue: str | None
    starts_at: EventTime | None
    price_cents: int = Field(gt=0)
    currency: str
    user_id: str = Field(description="the seller")
    order_id: str | None = Field(description="the order that holds or bought it")
    status: TicketStatus
    created_at: EventTime


class TicketEvent(Event):
    """Any fact about a ticket."""

    data: TicketData


class TicketCreated(TicketEvent):
    """A seller listed a ticket."""

    NAME = "ticket.created"


class TicketUpdated(TicketEvent):
    """A listing changed: edited, held, freed or sold."""

    NAME = "ticket.updated"


class TicketDeleted(TicketEvent):
    """A listing is deleted for good; published again, with a higher version, for an order that came too late."""

    NAME = "ticket.deleted"
