"""Builds and joins the parts of the orders service, and nowhere else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from ticketing_common.delivery import Backbone
from ticketing_common.events.subjects import ORDERS
from ticketing_common.web import LiveFeed, create_service_app

from .dependencies import HoldLimits
from .feed import order_news
from .publishers import order_restated
from .repository import OrderRepository, PaymentProjection, TicketProjection
from .routes import router
from .service import OrderService
from .settings import Settings
from .subscribers import subscriptions

__all__ = ["create_app"]


def create_app(settings: Settings | None = None) -> FastAPI:
    """The orders service; settings come from the environment unless given."""
    settings = settings or Settings()

    @asynccontextmanager
    async def assemble(app: FastAPI, backbone: Backbone) -> AsyncIterator[None]:
        orders = OrderRepository(backbone.outbox("orders"))
        tickets = TicketProjection(backbone.collection("tickets"))
        payments = PaymentProjection(backbone.collection("payments"))
        backbone.add_stores(orders, tickets, payments)
        service = OrderService(orders, tickets, payments, settings)
        app.state.service = service
        app.state.hold_limits = HoldLimits(settings)
        backbone.subscribe(subscriptions(service))
        backbone.offer_resync(orders, order_restated)
        app.state.feed = LiveFeed(backbone, ORDERS, order_news)
        async with app.state.feed.open():
            yield

    return create_service_app(
        settings, title="Orders", prefix="/api/orders", routers=[router], assemble=assemble, publishes=ORDERS
    )
