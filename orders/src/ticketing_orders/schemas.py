"""Orders, passes and check-ins as JSON."""

from datetime import datetime
from typing import Annotated, Final, Self, TypeAlias

from fastapi import Query
from pydantic import Field

from ticketing_common.events import OrderData, OrderReason, OrderStatus, PaymentData
from ticketing_common.security import MAX_PASS_CODE, PublicKey
from ticketing_common.web import ApiModel, Price, RequestModel, from_cents

from .domain import Order
from .passes import PassStatus

MAX_SEATS: Final = 10
"""In one order: enough for a family, and too few to buy a whole listing."""


class OrderRequest(RequestModel):
    """Which ticket to hold, and how many seats of it. A malformed id is a 404 like an unknown one: any string passes.

    `price` is the price of one seat that the buyer saw: when the current price differs, nothing is held.
    """

    ticket_id: str
    quantity: int = Field(default=1, ge=1, le=MAX_SEATS, description="seats, all of them or none")
    price: Price | None = Field(default=None, description="of one seat, as the buyer saw it")


ListingId: TypeAlias = Annotated[str, Query(alias="ticketId", max_length=100, description="the listing")]


class OrderTicketResponse(ApiModel):
    """The ticket as it was when the order was placed; `price` is for one seat."""

    id: str
    title: str
    venue: str | None
    starts_at: datetime | None
    price: float
    currency: str


class OrderResponse(ApiModel):
    """An order; its seats are held until `expires_at`, in UTC."""

    id: str
    user_id: str
    status: OrderStatus
    reason: OrderReason | None
    version: int
    expires_at: datetime
    created_at: datetime
    quantity: int
    seats: tuple[int, ...] = Field(description="their numbers, from 1")
    total: float = Field(description="of all seats, decimal, at most two places")
    refunded_amount: float | None = Field(
        default=None,
        description="what of the payment went back; null for an unpaid order, and in live updates of a cancelled one",
    )
    disputed: bool | None = Field(
        default=None, description="whether the buyer's bank disputes the payment; null as `refundedAmount`"
    )
    ticket: OrderTicketResponse

    @classmethod
    def of(cls, order: Order | OrderData, payment: PaymentData | None = None) -> Self:
        """The response for an order, from the stored order or from an event, and for the payment that completed it.

        Without the payment, what the order itself has of it.
        """
        refunded_cents, disputed = None, None
        if payment is not None:
            refunded_cents, disputed = payment.refunded_cents, payment.disputed
        elif order.status is OrderStatus.COMPLETE:
            refunded_cents, disputed = order.refunded_cents, order.disputed
        return cls(
            id=order.id,
            user_id=order.user_id,
            status=order.status,
            reason=order.reason,
            version=order.version,
            expires_at=order.expires_at,
            created_at=order.created_at,
            quantity=len(order.seats),
            seats=order.seats,
            total=from_cents(order.total_cents),
            refunded_amount=None if refunded_cents is None else from_cents(refunded_cents),
            disputed=disputed,
            ticket=OrderTicketResponse(
                id=order.ticket.id,
                title=order.ticket.title,
                venue=order.ticket.venue,
                starts_at=order.ticket.starts_at,
                price=from_cents(order.ticket.price_cents),
                currency=order.ticket.currency,
            ),
        )


class PassResponse(ApiModel):
    """One seat of a sold order. `code` is a compact JWS, the content of the QR code (docs/passes.md)."""

    id: str
    seat: int
    status: PassStatus = Field(description="`void` once the order has ended, else `used` once it was checked in")
    code: str


class PassKeysResponse(ApiModel):
    """A JWK set (RFC 7517): the public keys that verify the codes of passes, that of new codes first."""

    keys: list[PublicKey]


class CheckinRequest(RequestModel):
    """The code that was scanned or typed."""

    code: str = Field(min_length=1, max_length=MAX_PASS_CODE, description="of a pass")


class CheckinResponse(ApiModel):
    """The one admission with a pass; `checked_in_at` is UTC, by the clock of the server."""

    id: str
    pass_id: str
    ticket_id: str
    seat: int
    checked_in_at: datetime


class CheckinCountsResponse(ApiModel):
    """A listing as its entrance needs it. Passes that were checked in count further when their order ends."""

    sold: int = Field(description="seats of complete orders")
    checked_in: int = Field(description="check-ins")
    void: list[str] = Field(description="ids of the passes whose orders were complete and have ended")
