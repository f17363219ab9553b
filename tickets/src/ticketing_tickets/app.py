"""Builds the tickets service from its parts; the only module that does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from fastapi import FastAPI

from ticketing_common.delivery import ServiceRuntime
from ticketing_common.topology import TICKETS
from ticketing_common.web import ChangeCounter, LiveFeed, create_service_app

from .departures import Departures
from .dependencies import listing_limits
from .feed import HISTORY, ticket_message
from .publishers import ticket_changed
from .repository import OrderProjection, TicketRepository
from .retention import forget_regularly, withdraw_regularly
from .routes import router
from .service import TicketService
from .settings import Settings
from .subscribers import subscriptions


def create_app(settings: Settings | None = None) -> FastAPI:
    """The tickets service; settings come from the environment unless given."""
    settings = settings or Settings()
    changes = ChangeCounter()

    @asynccontextmanager
    async def assemble(app: FastAPI, runtime: ServiceRuntime) -> AsyncIterator[None]:
        tickets = TicketRepository(runtime.outbox("tickets", changes.note))
        orders = OrderProjection(runtime.collection("orders"))
        departures = Departures(runtime.collection("departures"), tickets)
        runtime.add_stores(tickets, orders)
        service = TicketService(tickets, orders, currency=settings.currency)
        app.state.settings = settings
        app.state.service = service
        app.state.listing_limits = listing_limits(settings)
        runtime.subscribe(subscriptions(service, departures))
        runtime.enable_resync(tickets, ticket_changed)
        app.state.feed = LiveFeed(runtime, TICKETS, ticket_message, history=HISTORY, changes=changes)
        forgetting = forget_regularly(service, after=timedelta(days=settings.deleted_texts_days))
        async with app.state.feed.open(), forgetting, withdraw_regularly(departures):
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
