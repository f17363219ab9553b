"""The message adapter: orders ask for mails, and keep a person from deleting the account."""

from collections.abc import Sequence

from ticketing_common.delivery import EventSubscription
from ticketing_common.events import OrderCancelled, OrderCompleted, OrderCreated, OrderEvent
from ticketing_common.topology import ORDERS

from .mail import OrderMails
from .obligations import Obligations


def subscriptions(order_mails: OrderMails, obligations: Obligations) -> list[EventSubscription]:
    """The events that this service consumes, each with its use case."""

    async def on_orders(events: Sequence[OrderEvent]) -> None:
        await obligations.follow([event.data for event in events])
        await order_mails.follow(events)

    return [EventSubscription.in_batches(ORDERS, on_orders, OrderCreated, OrderCompleted, OrderCancelled)]
