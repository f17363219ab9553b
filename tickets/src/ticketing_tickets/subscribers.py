"""The message adapter: an order's event updates its ticket, and a deleted account's listings are withdrawn."""

from ticketing_common.delivery import EventSubscription
from ticketing_common.events import OrderCancelled, OrderCompleted, OrderCreated, UserDeleted
from ticketing_common.events.subjects import ORDERS, USERS

from .departures import Departures
from .service import TicketService


def subscriptions(service: TicketService, departures: Departures) -> list[EventSubscription]:
    """The events that this service consumes, each with its use case."""
    return [
        EventSubscription.to_state(ORDERS, service.follow_order, OrderCreated, OrderCompleted, OrderCancelled),
        EventSubscription(USERS, {UserDeleted: departures.on_user_deleted}),
    ]
