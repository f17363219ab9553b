"""The message adapter: every event about an order updates its payment."""

from ticketing_common.delivery import EventSubscription
from ticketing_common.events import OrderCancelled, OrderCompleted, OrderCreated
from ticketing_common.topology import ORDERS

from .service import PaymentService


def subscriptions(service: PaymentService) -> list[EventSubscription]:
    """The events that this service consumes, each with its use case."""
    return [EventSubscription.to_state(ORDERS, service.follow_order, OrderCreated, OrderCompleted, OrderCancelled)]
