"""Events of the orders service: who holds a ticket, until when, and how the order ended."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from .envelope import Event, EventData, EventTime


class OrderStatus(StrEnum):
    """The status of an order; `created` and `complete` hold the ticket."""

    CREATED = "created"
    COMPLETE = "complete"
    CANCELLED = "cancelled"


class OrderReason(StrEnum):
    """Why an order was cancelled.

    `event_cancelled`: the seller called the event off. `refunded`: the seller returned the money of a paid order, or it
    went back at Stripe: refunded there, or lost in a dispute.
    """

    BUYER = "buyer"
    EXPIRED = "expired"
    TICKET_GONE = "ticket_gone"
    PAYMENT_FAILED = "payment_failed"
    EVENT_CANCELLED = "event_cancelled"
    REFUNDED = "refunded"


class OrderTicket(BaseModel):
    """The listing as the buyer saw it when the order was placed; a later price change does not touch it.

    `price_cents` is for one seat. `quantity` is how many seats the listing had.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    title: str
    price_cents: int = Field(gt=0)
    currency: str
    venue: str | None = None
    starts_at: EventTime | None = None
    quantity: int = Field(default=1, ge=1)
    user_id: str | None = Field(default=None, description="the seller; absent in orders of earlier versions")


class OrderData(EventData):
    """An order. Events from before an order could have several seats have no `seats`: such an order has seat 1."""

    status: OrderStatus
    reason: OrderReason | None
    user_id: str = Field(description="the buyer; empty in the record of an old order")
    expires_at: EventTime
    created_at: EventTime
    payment_id: str | None = Field(description="the payment that completed it")
    ticket: OrderTicket
    changed_at: EventTime | None = Field(
        default=None, description="when the order took this status; `time` is later in a republished event"
    )
    seats: tuple[int, ...] = Field(default=(1,), min_length=1, description="the numbers of its seats, from 1")
    refunded_cents: int | None = Field(
        default=None, description="the part of its payment that went back while complete"
    )
    disputed: bool | None = Field(default=None, description="whether the payment of a complete order is disputed")

    @property
    def total_cents(self) -> int:
        """What the order costs: each seat at the price of one."""
        return len(self.seats) * self.ticket.price_cents


class OrderEvent(Event):
    """Any fact about an order."""

    data: OrderData


class OrderCreated(OrderEvent):
    """A buyer holds a ticket until `expires_at`."""

    NAME = "order.created"


class OrderCompleted(OrderEvent):
    """The hold was paid in time: the authorised money may be captured. Again when its payment changed after that."""

    NAME = "order.completed"


class OrderCancelled(OrderEvent):
    """The hold is over: the ticket is free, and any money goes back."""

    NAME = "order.cancelled"
