"""The proxy before the Stripe double, and its client."""

import random
from collections.abc import AsyncIterator
from secrets import token_hex

import httpx
import pytest

from ticketing_testkit.bank import Bank
from ticketing_testkit.stripe_proxy import StripeProxy

SECRET = f"whsec_{token_hex(12)}"
KEY = f"sk_test_{token_hex(12)}"
INTENT = {"amount": "2550", "currency": "usd", "capture_method": "manual", "payment_method": "pm_card_visa"}
SUCCESSFUL_PAYMENT = ["payment_intent.amount_capturable_updated", "payment_intent.succeeded"]


@pytest.fixture
async def proxy(stripe_url: str) -> AsyncIterator[StripeProxy]:
    async with StripeProxy.start(stripe_url, chance=random.Random(20_261_123)) as running:
        yield running


@pytest.fixture
async def bank(stripe_url: str) -> AsyncIterator[Bank]:
    bank = Bank(stripe_url, KEY)
    yield bank
    await bank.close()


class Merchant:
    """A client of Stripe's API."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def post(self, path: str, key: str | None = None, **form: str) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return await self._http.post(path, data=form, headers=headers)

    async def begin(self, key: str | None = None, **changes: str) -> httpx.Response:
        return await self.post("/v1/payment_intents", key, **{**INTENT, **changes})

    async def pay(self) -> str:
        """Authorise and capture a payment; returns the PaymentIntent's id."""
        intent_id: str = (await self.begin()).json()["id"]
        for step in ("confirm", "capture"):
            (await self.post(f"/v1/payment_intents/{intent_id}/{step}")).raise_for_status()
        return intent_id


@pytest.fixture
async def merchant(proxy: StripeProxy) -> AsyncIterator[Merchant]:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=proxy.url, headers=headers, timeout=20) as http:
        yield Merchant(http)
