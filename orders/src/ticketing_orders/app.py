"""Builds and joins the parts of the orders service, and nowhere else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI
from starlette.middleware import Middleware

from ticketing_common.delivery import Backbone
from ticketing_common.events import Event, OrderEvent, OrderReason
from ticketing_common.events.subjects import ORDERS, PAYMENTS
from ticketing_common.telemetry import metrics
from ticketing_common.web import LiveFeed, create_service_app

from .dependencies import HoldLimits
from .early_refusal import EarlyRefusalMiddleware
from .feed import order_news
from .free_seats import FreeSeats
from .held_tickets import HeldTickets
from .publishers import order_restated
from .repository import OrderRepository, PaymentProjection, TicketProjection
from .routes import router
from .service import OrderService
from .settings import Settings
from .subscribers import subscriptions

__all__ = ["create_app"]

PREFIX: Final = "/api/orders"


def create_app(settings: Settings | None = None) -> FastAPI:
    """The orders service; settings come from the environment unless given."""
    settings = settings or Settings()
    held = HeldTickets()
    metrics.begin(metrics.ORDERS_CANCELLED, *((str(reason),) for reason in OrderReason))

    @asynccontextmanager
    async def assemble(app: FastAPI, backbone: Backbone) -> AsyncIterator[None]:
        orders = OrderRepository(backbone.outbox("orders"))
        tickets = TicketProjection(backbone.collection("tickets"))
        payments = PaymentProjection(backbone.collection("payments"))
        backbone.add_stores(orders, tickets, payments)
        free_seats = FreeSeats(orders.taken_seats)

        def follow(event: Event) -> None:
            assert isinstance(event, OrderEvent)  # noqa: S101 (the stream carries no others)
            held.see(event.data, as_of=event.time)
            free_seats.see(event.data)

        service = OrderService(orders, tickets, payments, held, free_seats, settings, backbone.progress(PAYMENTS))
        app.state.service = service
        app.state.hold_limits = HoldLimits(settings)
        app.state.held_tickets = held
        backbone.subscribe(subscriptions(service))
        backbone.offer_resync(orders, order_restated)
        app.state.feed = LiveFeed(backbone, ORDERS, order_news, listener=follow)
        async with app.state.feed.open():
            yield

    return create_service_app(
        settings,
        title="Orders",
        prefix=PREFIX,
        routers=[router],
        assemble=assemble,
        publishes=ORDERS,
        guards=[Middleware(EarlyRefusalMiddleware, path=PREFIX, held=held)],
    )
