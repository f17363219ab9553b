"""The message adapter: orders ask for mails, and keep a person from deleting the account."""

from ticketing_common.delivery import EventSubscription
from ticketing_common.events import OrderCancelled, OrderCompleted, OrderCreated, OrderEvent
from ticketing_common.events.subjects import ORDERS

from .mail import OrderMails
from .obligations import Obligations


def subscriptions(order_mails: OrderMails, obligations: Obligations) -> list[EventSubscription]:
    """The events that this service consumes, each with its use case."""

    async def on_order(event: OrderEvent) -> None:
        await obligations.follow(event.data)
        await order_mails.follow(event.data, published_at=event.time)

    return [EventSubscription(ORDERS, dict.fromkeys((OrderCreated, OrderCompleted, OrderCancelled), on_order))]
