"""Fixtures of the payments service: sample orders, and the service over real servers."""

import json
from collections.abc import AsyncIterator
from secrets import token_hex
from typing import Any

import pytest
import stripe

from ticketing_common.storage import Database, Outbox
from ticketing_payments.repository import OrderProjection, PaymentRepository, StripeEventInbox
from ticketing_payments.service import PaymentService
from ticketing_payments.settings import Settings
from ticketing_payments.stripe_gateway import StripeGateway
from ticketing_testkit.apps import Identity, service_settings_for
from ticketing_testkit.bank import Bank
from ticketing_testkit.stripe_proxy import StripeProxy

from .scenario import MakeScenario, MakeSettings, Scenario, Sign, Stores, make_order


@pytest.fixture(scope="session")
def stripe_key() -> str:
    return f"sk_test_{token_hex(12)}"


@pytest.fixture(scope="session")
def webhook_secret() -> str:
    return f"whsec_{token_hex(16)}"


@pytest.fixture
async def proxy(stripe_url: str) -> AsyncIterator[StripeProxy]:
    """The Stripe double behind a proxy that adds documented behaviour and faults."""
    async with StripeProxy.start(stripe_url) as running:
        yield running


@pytest.fixture
async def bank(stripe_url: str, stripe_key: str) -> AsyncIterator[Bank]:
    bank = Bank(stripe_url, stripe_key)
    yield bank
    await bank.close()


@pytest.fixture
def make_settings(
    mongo_url: str, database_name: str, identity: Identity, stripe_key: str, webhook_secret: str
) -> MakeSettings:
    def make(**changes: Any) -> Settings:
        fields = service_settings_for(
            mongo_url=mongo_url, database=database_name, nats_url="nats://127.0.0.1:1", identity=identity
        )
        stripe_settings = {
            "stripe_key": stripe_key,
            "stripe_webhook_secret": webhook_secret,
            "stripe_timeout_seconds": 5,
            "reconcile_seconds": 3_600,
            "stripe_repeat_seconds": 0.02,  # a longer wait would only slow the tests
        }
        return Settings.model_validate(fields | stripe_settings | changes)

    return make


@pytest.fixture
async def stores(database: Database) -> Stores:
    """The service's collections, with their indexes."""
    stores = Stores(
        PaymentRepository(Outbox(database["payments"])),
        OrderProjection(database["orders"]),
        StripeEventInbox(database["stripe_events"]),
    )
    for store in (stores.payments, stores.orders, stores.inbox):
        await store.ensure_indexes()
    return stores


@pytest.fixture
async def service(stores: Stores, proxy: StripeProxy, make_settings: MakeSettings) -> AsyncIterator[PaymentService]:
    """The use cases over a real database and the proxy."""
    settings = make_settings(stripe_api_base=proxy.url)
    async with StripeGateway.connect(settings) as gateway:
        yield PaymentService(stores.payments, stores.orders, stores.inbox, gateway, settings)


@pytest.fixture
def make_scenario(service: PaymentService, stores: Stores) -> MakeScenario:
    """Makes the scenario of one order, run by the service or by another replica. The order is not projected yet."""
    return lambda order, by=service: Scenario(by, stores, order)


@pytest.fixture
async def scenario(make_scenario: MakeScenario) -> Scenario:
    """An order that can be paid."""
    scenario = make_scenario(make_order())
    await scenario.service.follow_order(scenario.order)
    return scenario


@pytest.fixture
def sign(webhook_secret: str) -> Sign:
    """Makes a webhook about a payment, signed as Stripe signs. Returns its body and signature header."""

    def make(payment_id: str | None, *, secret: str = webhook_secret, **changes: Any) -> tuple[bytes, str]:
        event = {
            "id": changes.get("event_id") or f"evt_{token_hex(8)}",
            "type": changes.get("event_type", "payment_intent.succeeded"),
            "data": {"object": {"object": "payment_intent", "id": "pi_1", "metadata": {"payment_id": payment_id}}},
        }
        body = json.dumps(event)
        header = stripe.WebhookSignature.generate_signature_header(body, secret, changes.get("timestamp"))
        return body.encode(), header

    return make
