"""A sold ticket, and webhooks about its payment."""

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import stripe

from ticketing_common.events import PaymentStatus
from ticketing_payments.domain import Payment
from ticketing_payments.service import PaymentService
from ticketing_testkit.bank import Bank

from ..scenario import Scenario
from .refunding import Deliver


@pytest.fixture
async def sold(scenario: Scenario) -> Payment:
    """A captured payment of a complete order, the start of each scenario here."""
    await scenario.complete(await scenario.pay())
    (payment,) = await scenario.payments()
    assert payment.status is PaymentStatus.CAPTURED
    return payment


@pytest.fixture
def deliver(scenario: Scenario, bank: Bank, webhook_secret: str) -> Deliver:
    """Sends Stripe's own events of a PaymentIntent as webhooks, in a given order and number."""

    async def send(
        payment: Payment,
        *,
        times: int = 1,
        order: Callable[[list[Any]], Iterable[Any]] = list,
        by: PaymentService | None = None,
    ) -> None:
        for event in order(await bank.events(payment.stripe_id) * times):
            body = json.dumps(event)
            header = stripe.WebhookSignature.generate_signature_header(body, webhook_secret)
            service = by or scenario.service
            await service.apply_webhook(await service.receive_webhook(body.encode(), header))

    return send
