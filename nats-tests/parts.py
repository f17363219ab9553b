"""A publishing and a subscribing service, made of the services' own parts.

The publisher has the repository and the publishers of the tickets service, the subscriber the projection of the orders
service. Each has a separate database, and both run on `ServiceRuntime` as in production.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from ticketing_common.delivery import EventSubscription, ServiceRuntime
from ticketing_common.events import (
    TicketCancelled,
    TicketCreated,
    TicketData,
    TicketDeleted,
    TicketEvent,
    TicketUpdated,
)
from ticketing_common.settings import EventServiceSettings
from ticketing_common.topology import TICKETS
from ticketing_orders.repository import TicketProjection
from ticketing_tickets.publishers import ticket_changed
from ticketing_tickets.repository import OrderProjection, TicketRepository
from ticketing_tickets.service import TicketService

__all__ = ["PublishingService", "SubscribingService"]

CURRENCY = "usd"
ACK_WAIT_SECONDS: Final = 3.0
"""Shorter than in production: an event that was in flight when the broker or a subscriber was killed is redelivered
after this time, and tests wait for it.
"""


class PublishingService:
    """The tickets service without HTTP."""

    def __init__(self, settings: EventServiceSettings) -> None:
        self.runtime = ServiceRuntime(settings, publishes=TICKETS)
        self.tickets = TicketRepository(self.runtime.outbox("tickets"))
        self.service = TicketService(
            self.tickets, OrderProjection(self.runtime.collection("orders")), currency=CURRENCY
        )
        self.runtime.add_stores(self.tickets)
        self.runtime.enable_resync(self.tickets, ticket_changed)


class SubscribingService:
    """One replica of a service that keeps a projection of the tickets.

    `before` runs first in the handler, to make it slow or fail. `handled` are the versions that were applied, in order.
    """

    def __init__(
        self,
        settings: EventServiceSettings,
        *,
        ack_wait_seconds: float = ACK_WAIT_SECONDS,
        before: Callable[[TicketEvent], Awaitable[None]] | None = None,
    ) -> None:
        self.runtime = ServiceRuntime(settings)
        self.projection = TicketProjection(self.runtime.collection("tickets"))
        self.handled: list[tuple[str, int]] = []
        self._before = before
        self.runtime.add_stores(self.projection)
        self.subscription = EventSubscription(
            TICKETS,
            dict.fromkeys((TicketCreated, TicketUpdated, TicketCancelled, TicketDeleted), self.on_ticket),
            ack_wait_seconds=ack_wait_seconds,
        )
        self.runtime.subscribe([self.subscription])
        self.durable = self.subscription.durable(settings.service_name)

    async def on_ticket(self, event: TicketEvent) -> None:
        """Apply the event to the projection."""
        if self._before is not None:
            await self._before(event)
        await self.projection.apply(event.data)
        self.handled.append((event.data.id, event.data.version))

    async def held(self) -> dict[str, TicketData]:
        """All tickets of the projection, by id."""
        return {
            document["_id"]: self.projection.to_data(document) async for document in self.projection.collection.find({})
        }
