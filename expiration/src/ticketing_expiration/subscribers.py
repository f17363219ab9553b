"""The message adapter: every event about an order sets or cancels its deadline."""

from ticketing_common.delivery import BatchHandler, EventSubscription
from ticketing_common.events import OrderCancelled, OrderCompleted, OrderCreated
from ticketing_common.topology import ORDERS

from .service import ExpirationService


def subscriptions(service: ExpirationService) -> list[EventSubscription]:
    """The events that this service consumes, each with its use case."""
    return [
        EventSubscription.to_state(
            *(ORDERS, service.follow_order),
            *(OrderCreated, OrderCompleted, OrderCancelled),
            together=BatchHandler.of(service.follow_orders, OrderCreated, OrderCompleted, OrderCancelled),
        )
    ]
