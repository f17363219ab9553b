"""The message adapter: every event about an order updates its payment."""

from ticketing_common.delivery import EventSubscription
from ticketing_common.events import OrderCancelled, OrderCompleted, OrderCreated
from ticketing_common.events.subjects import ORDERS

from .service import PaymentService

__all__ = ["subscriptions"]


def subscriptions(service: PaymentService) -> list[EventSubscription]:
    """What this service consumes, and which use case takes what."""
    return [EventSubscription.to_state(ORDERS, service.follow_order, OrderCreated, OrderCompleted, OrderCancelled)]
