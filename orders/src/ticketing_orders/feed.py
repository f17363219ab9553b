"""What a buyer's browser sees of the events about an order: the same JSON as GET /api/orders/{id}."""

from ticketing_common.events import Event, OrderEvent
from ticketing_common.web import SseMessage

from .domain import Order
from .schemas import OrderResponse

__all__ = ["order_as_message", "order_message"]


def order_message(event: Event) -> SseMessage:
    """For those who follow this order."""
    assert isinstance(event, OrderEvent)  # noqa: S101 (the stream carries no others)
    return _message(OrderResponse.of(event.data))


def order_as_message(order: Order) -> SseMessage:
    """With what an order's stream begins."""
    return _message(OrderResponse.of(order))


def _message(order: OrderResponse) -> SseMessage:
    return SseMessage("order", order.model_dump_json(by_alias=True).encode())
