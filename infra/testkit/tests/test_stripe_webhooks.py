"""Webhooks of the proxy: signed, repeated, late, and in any order."""

import hashlib
import hmac
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from ticketing_testkit.bank import Bank
from ticketing_testkit.stripe_proxy import StripeProxy
from ticketing_testkit.stripe_webhooks import Endpoint

from .conftest import KEY, SECRET, SUCCESSFUL_PAYMENT, Merchant


class WebhookReceiver:
    """Receives webhooks and verifies their signatures as Stripe documents it."""

    def __init__(self) -> None:
        self.url = ""
        self.received: list[dict[str, Any]] = []
        self.refuse = 0

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.received]

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        signature = dict(part.split("=") for part in request.headers["Stripe-Signature"].split(","))
        expected = hmac.new(SECRET.encode(), f"{signature['t']}.".encode() + body, hashlib.sha256).hexdigest()
        assert signature["v1"] == expected
        if self.refuse:
            self.refuse -= 1
            return web.Response(status=503)
        self.received.append(json.loads(body))
        return web.Response()


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    receiver = WebhookReceiver()
    app = web.Application()
    app.router.add_post("/", receiver.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = "http://{}:{}/".format(*runner.addresses[0])
    yield receiver
    await runner.cleanup()


async def test_every_step_sends_a_signed_webhook(
    proxy: StripeProxy, merchant: Merchant, receiver: WebhookReceiver
) -> None:
    proxy.webhooks.endpoints.append(Endpoint(receiver.url, SECRET))
    intent_id = (await merchant.begin()).json()["id"]
    for step in ("confirm", "capture"):
        await merchant.post(f"/v1/payment_intents/{intent_id}/{step}")
        await proxy.webhooks.delivered()
    declined = (await merchant.begin(payment_method="pm_card_chargeCustomerFail")).json()["id"]
    assert (await merchant.post(f"/v1/payment_intents/{declined}/confirm")).status_code == 402
    await proxy.webhooks.delivered()
    await merchant.post(f"/v1/payment_intents/{declined}/cancel")
    await proxy.webhooks.delivered()
    assert receiver.types == [*SUCCESSFUL_PAYMENT, "payment_intent.payment_failed", "payment_intent.canceled"]
    assert receiver.received[0]["data"]["object"]["id"] == intent_id


async def test_a_step_of_the_buyer_sends_a_webhook_too(
    proxy: StripeProxy, merchant: Merchant, bank: Bank, receiver: WebhookReceiver
) -> None:
    proxy.webhooks.endpoints.append(Endpoint(receiver.url, SECRET))
    intent_id = (await merchant.begin(payment_method=await bank.card())).json()["id"]
    await merchant.post(f"/v1/payment_intents/{intent_id}/confirm")
    await proxy.webhooks.delivered()
    at_the_proxy = Bank(proxy.url, KEY)
    await at_the_proxy.authenticate(intent_id, success=True)
    await at_the_proxy.close()
    await proxy.webhooks.delivered()
    assert receiver.types == ["payment_intent.requires_action", "payment_intent.amount_capturable_updated"]


async def test_a_repeated_call_sends_no_webhook(
    proxy: StripeProxy, merchant: Merchant, receiver: WebhookReceiver
) -> None:
    proxy.webhooks.endpoints.append(Endpoint(receiver.url, SECRET))
    intent_id = (await merchant.begin()).json()["id"]
    for _ in range(2):
        await merchant.post(f"/v1/payment_intents/{intent_id}/confirm", "one")
    await proxy.webhooks.delivered()
    assert receiver.types == ["payment_intent.amount_capturable_updated"]


async def test_webhooks_are_duplicated_on_request(
    proxy: StripeProxy, merchant: Merchant, receiver: WebhookReceiver
) -> None:
    proxy.webhooks.endpoints.append(Endpoint(receiver.url, SECRET, copies=2))
    await merchant.pay()
    await proxy.webhooks.delivered()
    assert Counter(receiver.types) == dict.fromkeys(SUCCESSFUL_PAYMENT, 2)
    assert len({event["id"] for event in receiver.received}) == 2, "a copy has the id of its original"


async def test_held_webhooks_are_released_in_the_requested_order(
    proxy: StripeProxy, merchant: Merchant, receiver: Any
) -> None:
    proxy.webhooks.endpoints.append(Endpoint(receiver.url, SECRET))
    proxy.webhooks.hold()
    await merchant.pay()
    assert receiver.types == []
    await proxy.webhooks.release(last_first=True)
    assert receiver.types == SUCCESSFUL_PAYMENT[::-1]


async def test_late_webhooks_overtake_each_other(proxy: StripeProxy, receiver: WebhookReceiver) -> None:
    proxy.webhooks.endpoints.append(Endpoint(receiver.url, SECRET, delay_seconds=(0.0, 0.5)))
    for number in range(30):
        for status in ("requires_capture", "succeeded"):
            await proxy.webhooks.follow({"id": f"pi_{number}", "status": status})
    await proxy.webhooks.delivered()
    histories: dict[str, list[str]] = {}
    for event in receiver.received:
        histories.setdefault(event["data"]["object"]["id"], []).append(event["type"])
    assert {tuple(received) for received in histories.values()} == {
        tuple(SUCCESSFUL_PAYMENT),
        tuple(SUCCESSFUL_PAYMENT[::-1]),
    }


async def test_an_unacknowledged_webhook_is_sent_again(
    proxy: StripeProxy, merchant: Merchant, receiver: WebhookReceiver
) -> None:
    receiver.refuse = 2
    proxy.webhooks.endpoints.append(Endpoint(receiver.url, SECRET))
    intent_id = (await merchant.begin()).json()["id"]
    await merchant.post(f"/v1/payment_intents/{intent_id}/confirm")
    await proxy.webhooks.delivered()
    assert receiver.types == ["payment_intent.amount_capturable_updated"]
    assert receiver.refuse == 0


async def test_a_webhook_can_arrive_before_the_response(
    proxy: StripeProxy, merchant: Merchant, receiver: WebhookReceiver
) -> None:
    proxy.webhooks.endpoints.append(Endpoint(receiver.url, SECRET))
    received_before_the_response: list[int] = []

    async def wait_for_webhook(call: Any, _answer: Any) -> None:
        if call.path.endswith("/confirm"):
            await proxy.webhooks.delivered()
            received_before_the_response.append(len(receiver.received))

    proxy.before_answer = wait_for_webhook
    intent_id = (await merchant.begin()).json()["id"]
    confirmed = await merchant.post(f"/v1/payment_intents/{intent_id}/confirm")
    assert confirmed.json()["status"] == "requires_capture"
    assert received_before_the_response == [1]
