"""The proxy that adds Stripe's idempotency, webhooks and faults to the double."""

import asyncio
import hashlib
import hmac
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from secrets import token_hex
from typing import Any

import httpx
import pytest
from aiohttp import web

from ticketing_testkit.bank import Bank
from ticketing_testkit.stripe_proxy import StripeProxy
from ticketing_testkit.stripe_webhooks import Endpoint

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


async def test_the_same_key_and_body_give_the_first_answer_again(merchant: Merchant, bank: Bank) -> None:
    order, key = token_hex(6), token_hex(6)
    first, second = [await merchant.begin(key, **{"metadata[order_id]": order}) for _ in range(2)]
    assert first.content == second.content
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert len(await bank.intents_of(order)) == 1


async def test_the_same_key_with_another_body_is_an_error_without_effect(merchant: Merchant, bank: Bank) -> None:
    order, key = token_hex(6), token_hex(6)
    await merchant.begin(key, **{"metadata[order_id]": order})
    other = await merchant.begin(key, amount="1", **{"metadata[order_id]": order})
    assert (other.status_code, other.json()["error"]["type"]) == (400, "idempotency_error")
    assert len(await bank.intents_of(order)) == 1


async def test_a_key_belongs_to_its_account(proxy: StripeProxy, merchant: Merchant) -> None:
    key = token_hex(6)
    first = await merchant.begin(key)
    async with httpx.AsyncClient(base_url=proxy.url, headers={"Authorization": "Bearer sk_test_other"}) as http:
        other = await Merchant(http).begin(key)
    assert other.status_code == 200
    assert first.json()["id"] != other.json()["id"]


async def test_during_the_first_call_a_second_with_its_key_is_a_conflict(
    proxy: StripeProxy, merchant: Merchant, bank: Bank
) -> None:
    order, key = token_hex(6), token_hex(6)
    both = await asyncio.gather(*(merchant.begin(key, **{"metadata[order_id]": order}) for _ in range(2)))
    assert len(await bank.intents_of(order)) == 1
    for answer in both:
        if answer.status_code != 200:
            assert (answer.status_code, answer.json()["error"]["code"]) == (409, "idempotency_key_in_use")


async def test_a_500_after_the_start_of_execution_is_stored_for_its_key(
    proxy: StripeProxy, merchant: Merchant, bank: Bank
) -> None:
    order, key = token_hex(6), token_hex(6)
    proxy.fail("crashed", "POST /v1/payment_intents$")
    answers = [await merchant.begin(key, **{"metadata[order_id]": order}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [500, 500]
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert len(await bank.intents_of(order)) == 1, "it was executed anyway"


async def test_a_refusal_before_execution_is_not_stored_for_its_key(proxy: StripeProxy, merchant: Merchant) -> None:
    key = token_hex(6)
    proxy.fail("away", "POST ")
    proxy.fail("refused", "POST ", status=429, error={"code": "rate_limit"})
    statuses = [(await merchant.begin(key)).status_code for _ in range(3)]
    assert statuses == [503, 429, 200]


async def test_a_call_whose_response_is_lost_is_executed(proxy: StripeProxy, merchant: Merchant, bank: Bank) -> None:
    intent_id = (await merchant.begin()).json()["id"]
    await merchant.post(f"/v1/payment_intents/{intent_id}/confirm")
    proxy.fail("lost", "/capture$")
    with pytest.raises(httpx.RemoteProtocolError):
        await merchant.post(f"/v1/payment_intents/{intent_id}/capture", "one")
    assert (await bank.intent(intent_id))["status"] == "succeeded"
    again = await merchant.post(f"/v1/payment_intents/{intent_id}/capture", "one")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["status"] == "succeeded"


async def test_a_call_whose_response_never_arrives_is_executed(proxy: StripeProxy, bank: Bank) -> None:
    order = token_hex(6)
    proxy.fail("silent", "POST ")
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=proxy.url, headers=headers, timeout=httpx.Timeout(60, read=0.5)) as http:
        with pytest.raises(httpx.ReadTimeout):
            await Merchant(http).begin(**{"metadata[order_id]": order})
    async with asyncio.timeout(20):
        while len(await bank.intents_of(order)) != 1:  # noqa: ASYNC110 (no notification exists)
            await asyncio.sleep(0.02)


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


async def test_the_proxy_restarts_on_its_port(stripe_url: str) -> None:
    async with StripeProxy.start(stripe_url) as first:
        port = int(first.url.rpartition(":")[2])
    async with StripeProxy.start(stripe_url, port=port) as second:
        assert second.url == first.url


HIDDEN = b"POST /v1/refunds HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
FRAMINGS = {
    "length": (b"Content-Length: %d\r\n" % len(HIDDEN), HIDDEN),
    "length named by Connection": (b"Connection: content-length\r\nContent-Length: %d\r\n" % len(HIDDEN), HIDDEN),
    "chunked": (b"Transfer-Encoding: chunked\r\n", b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)),
    "chunked named by Connection": (
        b"Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n",
        b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN),
    ),
}


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("method", [b"GET", b"DELETE", b"OPTIONS", b"POST", b"PUT"])
async def test_a_body_never_becomes_a_second_call(method: bytes, framing: str) -> None:
    """Request smuggling (RFC 9112 §11.2): the proxy sets the framing of its own requests to the double."""
    sent: list[tuple[bytes, bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lines = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:] if line)
                sent.append((head.split(b" ")[0], await reader.readexactly(int(lines.get(b"content-length", b"0")))))
                assert b"transfer-encoding" not in lines
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server, StripeProxy.start(f"http://{host}:{port}") as proxy:
        reader, writer = await asyncio.open_connection(host, int(proxy.url.rpartition(":")[2]))
        headers, content = FRAMINGS[framing]
        follower = b"GET /v1/after HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        writer.write(b"%b /v1/refunds/re_1 HTTP/1.1\r\nHost: x\r\n%b\r\n%b%b" % (method, headers, content, follower))
        await reader.read()
        writer.close()
    assert [method for method, _ in sent] in ([method], [method, b"GET"])
    assert sent[0][1] in (b"", HIDDEN)
    assert [call.path for call in proxy.calls][:1] == ["/v1/refunds/re_1"]
