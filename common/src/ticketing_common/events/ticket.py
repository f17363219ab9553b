"""Events of the tickets service: a listing and its state."""

from enum import StrEnum

from pydantic import Field

from .envelope import Event, EventData, EventTime


class TicketStatus(StrEnum):
    """The state of a listing; `deleted` appears in events only, never in responses.

    `cancelled`: the seller called the event off.
    """

    AVAILABLE = "available"
    HELD = "held"
    SOLD = "sold"
    CANCELLED = "cancelled"
    DELETED = "deleted"


class TicketData(EventData):
    """A listing. Money in integer cents for one seat, times in UTC.

    The fields with a default are absent in events from before a listing had several seats: such a listing has one.
    """

    title: str
    description: str | None
    venue: str | None
    starts_at: EventTime | None
    price_cents: int = Field(gt=0)
    currency: str
    user_id: str = Field(description="the seller")
    order_id: str | None = Field(description="the order that holds or bought it, for a listing of one seat")
    status: TicketStatus
    created_at: EventTime
    quantity: int = Field(default=1, ge=1, description="seats on sale, taken ones included")
    highest_seat: int = Field(default=1, ge=1, description="the largest `quantity` so far: seats have numbers up to it")
    available: int | None = Field(
        default=None, ge=0, description="free seats; when absent, the status says whether one is free"
    )

    @property
    def free_seats(self) -> int:
        """How many seats are free, as far as tickets knows."""
        if self.available is not None:
            return self.available
        return self.quantity if self.status is TicketStatus.AVAILABLE else 0


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


class TicketCancelled(TicketEvent):
    """The seller called the event off for good; published again, with a higher version, for an order that came late."""

    NAME = "ticket.cancelled"
