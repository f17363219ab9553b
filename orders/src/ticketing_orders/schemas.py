"""Orders as JSON."""

from datetime import datetime
from typing import Annotated, Final, Self, TypeAlias

from fastapi import Depends, Query, Request
from pydantic import Field

from ticketing_common.events import OrderData, OrderReason, OrderStatus
from ticketing_common.web import ApiModel, Price, RequestModel, from_cents
from ticketing_common.web.pagination import refuse_unknown_parameters

from .domain import Order

__all__ = ["OrderRequest", "OrderResponse", "OrderTicketResponse", "SaleSearchDep"]

MAX_SEATS: Final = 10
"""In one order: enough for a family, and too few to buy a whole listing."""


class OrderRequest(RequestModel):
    """Which ticket to hold, and how many seats of it. A malformed id is a 404 like an unknown one: any string passes.

    `price` is the price of one seat that the buyer saw: when the current price differs, nothing is held.
    """

    ticket_id: str
    quantity: int = Field(default=1, ge=1, le=MAX_SEATS, description="seats, all of them or none")
    price: Price | None = Field(default=None, description="of one seat, as the buyer saw it")


async def sale_search(
    request: Request, ticket_id: Annotated[str, Query(alias="ticketId", max_length=100, description="the listing")]
) -> str:
    """The listing whose paid orders are asked for; raises `InvalidInputError` for unknown parameters."""
    refuse_unknown_parameters(request, ("ticketId", "limit", "cursor"))
    return ticket_id


SaleSearchDep: TypeAlias = Annotated[str, Depends(sale_search)]


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
    ticket: OrderTicketResponse

    @classmethod
    def of(cls, order: Order | OrderData) -> Self:
        """The response for an order, from the stored order or from an event."""
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
            ticket=OrderTicketResponse(
                id=order.ticket.id,
                title=order.ticket.title,
                venue=order.ticket.venue,
                starts_at=order.ticket.starts_at,
                price=from_cents(order.ticket.price_cents),
                currency=order.ticket.currency,
            ),
        )
