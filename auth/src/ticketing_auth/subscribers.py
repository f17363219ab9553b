"""The message adapter: orders that were completed or cancelled ask for mails."""

from ticketing_common.delivery import EventSubscription
from ticketing_common.events import OrderCancelled, OrderCompleted, OrderEvent
from ticketing_common.events.subjects import ORDERS

from .mail import OrderMails

__all__ = ["subscriptions"]


def subscriptions(order_mails: OrderMails) -> list[EventSubscription]:
    """The events that this service consumes, each with its use case."""

    async def on_order(event: OrderEvent) -> None:
        await order_mails.follow(event.data, published_at=event.time)

    return [EventSubscription(ORDERS, dict.fromkeys((OrderCompleted, OrderCancelled), on_order))]
