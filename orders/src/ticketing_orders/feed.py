"""The live updates of an order: the same JSON as GET /api/orders/{id}."""

from ticketing_common.events import Event, OrderEvent
from ticketing_common.web import SseMessage

from .domain import Order
from .schemas import OrderResponse


def order_message(event: Event) -> SseMessage:
    """The live update for an order event."""
    assert isinstance(event, OrderEvent)  # noqa: S101 (the stream carries no others)
    return _message(OrderResponse.of(event.data))


def order_as_message(order: Order) -> SseMessage:
    """The first live update of an order's stream."""
    return _message(OrderResponse.of(order))


def _message(order: OrderResponse) -> SseMessage:
    return SseMessage("order", order.model_dump_json(by_alias=True).encode())
