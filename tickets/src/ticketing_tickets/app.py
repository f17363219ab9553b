"""The only place that builds the tickets service and joins its parts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from ticketing_common.delivery import ServiceRuntime
from ticketing_common.events.subjects import TICKETS
from ticketing_common.web import ChangeCounter, LiveFeed, create_service_app

from .dependencies import listing_limits
from .feed import HISTORY, ticket_message
from .publishers import ticket_changed
from .repository import OrderProjection, TicketRepository
from .routes import router
from .service import TicketService
from .settings import Settings
from .subscribers import subscriptions

__all__ = ["create_app"]


def create_app(settings: Settings | None = None) -> FastAPI:
    """The tickets service; settings come from the environment when none are given."""
    settings = settings or Settings()
    changes = ChangeCounter()

    @asynccontextmanager
    async def assemble(app: FastAPI, runtime: ServiceRuntime) -> AsyncIterator[None]:
        tickets = TicketRepository(runtime.outbox("tickets", changes.note))
        orders = OrderProjection(runtime.collection("orders"))
        runtime.add_stores(tickets, orders)
        service = TicketService(tickets, orders, currency=settings.currency)
        app.state.service = service
        app.state.listing_limits = listing_limits(settings)
        runtime.subscribe(subscriptions(service))
        runtime.enable_resync(tickets, ticket_changed)
        app.state.feed = LiveFeed(runtime, TICKETS, ticket_message, history=HISTORY, changes=changes)
        async with app.state.feed.open():
            yield

    return create_service_app(
        settings,
        title="Tickets",
        prefix="/api/tickets",
        routers=[router],
        assemble=assemble,
        publishes=TICKETS,
        changes=changes,
    )
