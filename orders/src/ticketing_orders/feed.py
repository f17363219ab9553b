"""What a buyer's browser sees of the events about an order: the same JSON as GET /api/orders/{id}."""

from ticketing_common.events import Event, OrderEvent
from ticketing_common.web import News

from .domain import Order
from .schemas import OrderResponse

__all__ = ["order_as_news", "order_news"]


def order_news(event: Event) -> News:
    """For those who follow this order."""
    assert isinstance(event, OrderEvent)  # noqa: S101 (the stream carries no others)
    return _news(OrderResponse.of(event.data))


def order_as_news(order: Order) -> News:
    """With what an order's stream begins."""
    return _news(OrderResponse.of(order))


def _news(order: OrderResponse) -> News:
    return News("order", order.model_dump_json(by_alias=True).encode())
