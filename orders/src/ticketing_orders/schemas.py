"""Orders as JSON."""

from datetime import datetime
from typing import Self

from ticketing_common.events import OrderData, OrderReason, OrderStatus
from ticketing_common.web import ApiModel, RequestModel, from_cents

from .domain import Order

__all__ = ["OrderRequest", "OrderResponse", "OrderTicketResponse"]


class OrderRequest(RequestModel):
    """Which ticket to hold. A malformed id is a 404 like an unknown one, so any string passes here."""

    ticket_id: str


class OrderTicketResponse(ApiModel):
    """The ticket as it was when the order was placed."""

    id: str
    title: str
    venue: str | None
    starts_at: datetime | None
    price: float
    currency: str


class OrderResponse(ApiModel):
    """An order; the ticket is held until `expires_at`, in UTC."""

    id: str
    user_id: str
    status: OrderStatus
    reason: OrderReason | None
    version: int
    expires_at: datetime
    created_at: datetime
    ticket: OrderTicketResponse

    @classmethod
    def of(cls, order: Order | OrderData) -> Self:
        """An order as its buyer sees it, as it is stored or told."""
        return cls(
            id=order.id,
            user_id=order.user_id,
            status=order.status,
            reason=order.reason,
            version=order.version,
            expires_at=order.expires_at,
            created_at=order.created_at,
            ticket=OrderTicketResponse(
                id=order.ticket.id,
                title=order.ticket.title,
                venue=order.ticket.venue,
                starts_at=order.ticket.starts_at,
                price=from_cents(order.ticket.price_cents),
                currency=order.ticket.currency,
            ),
        )
