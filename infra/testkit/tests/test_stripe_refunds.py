"""Refunds, disputes and events of the double behave as Stripe documents them."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx
import pytest
from aiohttp import web

from ticketing_testkit.bank import Bank
from ticketing_testkit.servers import StripeDouble

KEY = f"sk_test_{token_hex(12)}"
SECRET = f"whsec_{token_hex(12)}"
AMOUNT = 2_550


@pytest.fixture
async def bank(stripe_url: str) -> AsyncIterator[Bank]:
    bank = Bank(stripe_url, KEY)
    yield bank
    await bank.close()


async def captured(bank: Bank) -> str:
    """The id of a captured PaymentIntent."""
    intent = await bank.call(
        *("POST", "/v1/payment_intents"),
        amount=AMOUNT,
        currency="usd",
        capture_method="manual",
        payment_method="pm_card_visa",
    )
    for step in ("confirm", "capture"):
        await bank.call("POST", f"/v1/payment_intents/{intent['id']}/{step}")
    return str(intent["id"])


async def refused(call: Any) -> dict[str, Any]:
    with pytest.raises(httpx.HTTPStatusError) as caught:
        await call
    error: dict[str, Any] = caught.value.response.json()["error"]
    return error


async def charge_of(bank: Bank, intent: str) -> dict[str, Any]:
    charge: dict[str, Any] = (await bank.intent(intent))["latest_charge"]
    return charge


async def test_no_more_is_refunded_than_was_charged(bank: Bank) -> None:
    intent = await captured(bank)
    await bank.refund(intent, 1_000)
    assert (await refused(bank.refund(intent, AMOUNT)))["param"] == "amount"
    assert (await bank.refund(intent))["amount"] == AMOUNT - 1_000, "without an amount it is the remaining amount"
    assert (await refused(bank.refund(intent)))["code"] == "charge_already_refunded"
    charge = await charge_of(bank, intent)
    assert (charge["amount_refunded"], charge["refunded"]) == (AMOUNT, True)


async def test_a_failed_refund_no_longer_counts(bank: Bank) -> None:
    intent = await captured(bank)
    refund = await bank.refund(intent)
    await bank.fail_refund(refund["id"])
    charge = await charge_of(bank, intent)
    assert (charge["amount_refunded"], charge["refunded"]) == (0, False)
    assert {event["type"] for event in await bank.events(intent)} == {
        *("charge.refunded", "refund.created", "refund.failed", "refund.updated", "charge.refund.updated")
    }


async def test_nothing_is_refunded_during_a_dispute(bank: Bank) -> None:
    intent = await captured(bank)
    dispute = await bank.dispute(intent)
    assert (await refused(bank.refund(intent)))["code"] == "charge_disputed"
    await bank.decide(dispute["id"], "won")
    assert (await bank.refund(intent))["amount"] == AMOUNT
    listed = await bank.call("GET", f"/v1/disputes?payment_intent={intent}")
    assert [(found["id"], found["status"]) for found in listed["data"]] == [(dispute["id"], "won")]
    assert (await charge_of(bank, intent))["disputed"]


async def test_an_inquiry_withdraws_no_money(bank: Bank) -> None:
    intent = await captured(bank)
    await bank.dispute(intent, status="warning_needs_response")
    assert (await bank.refund(intent))["amount"] == AMOUNT


async def test_a_partial_capture_counts_the_rest_as_refunded(bank: Bank) -> None:
    intent = await bank.call(
        *("POST", "/v1/payment_intents"),
        amount=AMOUNT,
        currency="usd",
        capture_method="manual",
        payment_method="pm_card_visa",
    )
    await bank.call("POST", f"/v1/payment_intents/{intent['id']}/confirm")
    await bank.call("POST", f"/v1/payment_intents/{intent['id']}/capture", amount_to_capture=1_000)
    found = await bank.intent(intent["id"])
    charge = found["latest_charge"]
    assert (found["amount_received"], charge["amount_captured"], charge["amount_refunded"]) == (1_000, 1_000, 1_550)


async def test_events_are_listed_newest_first_by_types_and_time(bank: Bank) -> None:
    intent = await captured(bank)
    await bank.refund(intent, 1)
    await bank.refund(intent, 2)
    path = "/v1/events?types[]=refund.created&types[]=charge.dispute.created&limit=1"
    newest = await bank.call("GET", path)
    assert newest["has_more"]
    assert [event["data"]["object"]["amount"] for event in newest["data"]] == [2]
    older = await bank.call("GET", f"{path}&starting_after={newest['data'][0]['id']}")
    assert [event["data"]["object"]["amount"] for event in older["data"]] == [1]
    after = newest["data"][0]["created"] + 1
    assert (await bank.call("GET", f"{path}&created[gte]={after}"))["data"] == []


async def test_refunds_and_disputes_send_signed_webhooks(tmp_path: Path) -> None:
    webhooks: asyncio.Queue[tuple[str, bool]] = asyncio.Queue()

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        parts = dict(part.split("=") for part in request.headers["Stripe-Signature"].split(","))
        digest = hmac.new(SECRET.encode(), f"{parts['t']}.".encode() + body, hashlib.sha256).hexdigest()
        await webhooks.put((json.loads(body)["type"], hmac.compare_digest(digest, parts["v1"])))
        return web.Response()

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    double = StripeDouble(tmp_path)
    double.start()
    bank = Bank(double.url, KEY)
    try:
        address = "http://{}:{}/".format(*runner.addresses[0])
        await bank._http.post("/_config/webhooks/test", json={"url": address, "secret": SECRET})
        intent = await captured(bank)
        await bank.refund(intent, 1)
        await bank.dispute(intent)
        async with asyncio.timeout(20):
            found = [await webhooks.get() for _ in range(5)]
        await bank.close()
        double.restart()
        bank = Bank(double.url, KEY)
        assert (await charge_of(bank, intent))["amount_refunded"] == 1, "recomputed from the file"
    finally:
        await bank.close()
        double.stop()
        await runner.cleanup()
    assert {kind for kind, _ in found} == {
        *("payment_intent.succeeded", "charge.refunded", "refund.created"),
        *("charge.dispute.created", "charge.dispute.funds_withdrawn"),
    }
    assert all(genuine for _, genuine in found)
