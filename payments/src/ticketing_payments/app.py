"""Composition root of the payments service: the only place that builds and connects its parts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI

from ticketing_common.delivery import ServiceRuntime
from ticketing_common.resilience import repeated
from ticketing_common.storage import Lease
from ticketing_common.topology import ORDERS, PAYMENTS
from ticketing_common.web import create_service_app

from .dependencies import PaymentLimits
from .publishers import payment_republished
from .repository import OrderProjection, PaymentRepository, StripeEventInbox
from .retention import PaymentRetention
from .routes import router
from .service import PaymentService
from .settings import Settings
from .stripe_gateway import StripeGateway
from .subscribers import subscriptions

MAX_BODY_BYTES: Final = 256 * 1024
"""Stripe's webhooks are longer than requests of our own client, which `dependencies.py` limits to 64 KiB."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """The payments service; settings come from the environment unless given."""
    settings = settings or Settings()

    @asynccontextmanager
    async def assemble(app: FastAPI, runtime: ServiceRuntime) -> AsyncIterator[None]:
        payments = PaymentRepository(runtime.outbox("payments"))
        orders = OrderProjection(runtime.collection("orders"), runtime.progress(ORDERS).is_caught_up)
        inbox = StripeEventInbox(runtime.collection("stripe_events"))
        retention = PaymentRetention(payments, orders)
        runtime.add_stores(payments, orders, inbox)
        async with StripeGateway.connect(settings) as stripe:
            service = PaymentService(payments, orders, inbox, stripe, settings)
            app.state.service = service
            app.state.payment_limits = PaymentLimits(settings)
            runtime.subscribe(subscriptions(service))
            runtime.enable_resync(payments, payment_republished)
            lease = Lease(runtime.database, "reconciler", seconds=3 * settings.reconcile_seconds)
            reconciling = repeated(
                service.reconcile,
                settings.reconcile_seconds,
                failure="reconciliation failed, next run follows",
                acquire_lease=lease.acquire,
            )
            async with retention.forgetting(), reconciling:
                yield

    return create_service_app(
        settings,
        title="Payments",
        prefix="/api/payments",
        routers=[router],
        assemble=assemble,
        publishes=PAYMENTS,
        max_body_bytes=MAX_BODY_BYTES,
    )
