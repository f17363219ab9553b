"""The message adapter: the orders that keep a person from deleting the account."""

from ticketing_common.delivery import EventSubscription
from ticketing_common.events import OrderCancelled, OrderCompleted, OrderCreated
from ticketing_common.events.subjects import ORDERS

from .obligations import Obligations

__all__ = ["subscriptions"]


def subscriptions(obligations: Obligations) -> list[EventSubscription]:
    """The events that this service consumes, each with its use case."""
    return [EventSubscription.to_state(ORDERS, obligations.follow, OrderCreated, OrderCompleted, OrderCancelled)]
