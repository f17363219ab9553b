"""The message adapter: an order's event updates its ticket, and a deleted account's listings are withdrawn."""

from collections.abc import Sequence

from ticketing_common.delivery import BatchHandler, EventSubscription
from ticketing_common.events import OrderCancelled, OrderCompleted, OrderCreated, OrderEvent, UserDeleted
from ticketing_common.topology import ORDERS, USERS

from .departures import Departures
from .service import TicketService


def subscriptions(service: TicketService, departures: Departures) -> list[EventSubscription]:
    """The events that this service consumes, each with its use case."""

    async def on_orders(events: Sequence[OrderEvent]) -> None:
        traces = {event.data.ticket.id: event.traceparent for event in events}
        await service.follow_orders([event.data for event in events], traces=traces)

    return [
        EventSubscription.to_state(
            *(ORDERS, service.follow_order),
            *(OrderCreated, OrderCompleted, OrderCancelled),
            together=BatchHandler.of(on_orders, OrderCreated, OrderCompleted, OrderCancelled),
        ),
        EventSubscription(USERS, {UserDeleted: departures.on_user_deleted}),
    ]
