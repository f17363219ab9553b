"""Builds the orders service from its parts; the only module that does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI

from ticketing_common.delivery import ServiceRuntime
from ticketing_common.events import Event, OrderEvent, OrderReason
from ticketing_common.telemetry import metrics
from ticketing_common.topology import ORDERS, PAYMENTS, TICKETS
from ticketing_common.web import LiveFeed, create_service_app

from .checkins import CheckinRepository
from .dependencies import hold_limits
from .early_refusal import refuse_at_once
from .feed import order_message
from .free_seats import FreeSeats
from .hold_cache import HoldCache
from .pass_service import PassService
from .publishers import order_republished
from .repository import OrderRepository, PaymentProjection, TicketProjection
from .retention import forget_regularly
from .routes import router
from .service import OrderService
from .settings import Settings
from .subscribers import subscriptions

PREFIX: Final = "/api/orders"


def create_app(settings: Settings | None = None) -> FastAPI:
    """The orders service; settings come from the environment unless given."""
    settings = settings or Settings()
    metrics.init_series(metrics.CHECKINS, ("admitted",), ("used",), ("void",))
    metrics.init_series(metrics.ORDERS_CANCELLED, *((str(reason),) for reason in OrderReason))

    @asynccontextmanager
    async def assemble(app: FastAPI, runtime: ServiceRuntime) -> AsyncIterator[None]:
        orders = OrderRepository(runtime.outbox("orders"))
        tickets = TicketProjection(runtime.collection("tickets"), runtime.progress(TICKETS).is_caught_up)
        payments = PaymentProjection(runtime.collection("payments"))
        checkins = CheckinRepository(runtime.collection("checkins"))
        runtime.add_stores(orders, tickets, payments, checkins)

        def is_followed() -> bool:
            feed: LiveFeed = app.state.feed
            return feed.is_current()

        held = HoldCache(is_followed)
        free_seats = FreeSeats(orders.taken_seats, is_followed)

        def follow(event: Event) -> None:
            assert isinstance(event, OrderEvent)  # noqa: S101 (the stream carries no others)
            held.see(event.data, as_of=event.time)
            free_seats.see(event.data)

        def forget() -> None:
            held.clear()
            free_seats.clear()

        service = OrderService(orders, tickets, payments, held, free_seats, settings, runtime.progress(PAYMENTS))
        app.state.service = service
        app.state.pass_service = PassService(orders, tickets, checkins, settings)
        app.state.hold_limits = hold_limits(settings)
        app.state.hold_cache = held
        runtime.subscribe(subscriptions(service))
        runtime.enable_resync(orders, order_republished)
        app.state.feed = LiveFeed(runtime, ORDERS, order_message, listener=follow, on_gap=forget)
        async with app.state.feed.open(), forget_regularly(orders, payments, settings):
            yield

    return create_service_app(
        settings,
        title="Orders",
        prefix=PREFIX,
        routers=[router],
        assemble=assemble,
        publishes=ORDERS,
        early_answers={("POST", ""): refuse_at_once},
    )
