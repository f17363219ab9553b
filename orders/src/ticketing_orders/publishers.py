"""Pure functions from an order to the event that describes it."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias, TypeVar

from ticketing_common.events import (
    OrderCancelled,
    OrderCompleted,
    OrderCreated,
    OrderData,
    OrderEvent,
    OrderStatus,
    OrderTicket,
)

from .domain import Order

E = TypeVar("E", bound=OrderEvent)

OrderPublisher: TypeAlias = Callable[[Order], OrderEvent]


def _publisher(kind: type[E]) -> Callable[[Order], E]:
    return lambda order: kind.of(_data(order))


order_created: Final = _publisher(OrderCreated)
order_completed: Final = _publisher(OrderCompleted)
order_cancelled: Final = _publisher(OrderCancelled)
_OF_STATUS: Final[Mapping[OrderStatus, OrderPublisher]] = {
    OrderStatus.CREATED: order_created,
    OrderStatus.COMPLETE: order_completed,
    OrderStatus.CANCELLED: order_cancelled,
}


def order_republished(order: Order) -> OrderEvent:
    """The order's current state, for a resync."""
    return _OF_STATUS[order.status](order)


def _data(order: Order) -> OrderData:
    return OrderData(
        id=order.id,
        version=order.version,
        status=order.status,
        reason=order.reason,
        user_id=order.user_id,
        expires_at=order.expires_at,
        created_at=order.created_at,
        changed_at=order.status_since or order.updated_at,
        payment_id=order.payment_id,
        ticket=OrderTicket(
            id=order.ticket.id,
            title=order.ticket.title,
            price_cents=order.ticket.price_cents,
            currency=order.ticket.currency,
            venue=order.ticket.venue,
            starts_at=order.ticket.starts_at,
            quantity=order.ticket.quantity,
            user_id=order.ticket.user_id,
        ),
        seats=order.seats,
        refunded_cents=order.refunded_cents,
        disputed=order.disputed,
    )
