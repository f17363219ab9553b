import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ticketing_common.entity import new_id
from ticketing_payments.domain import IntentState, Payment
from ticketing_payments.errors import PaymentMethodRefusedError, StripeUnknownError, WebhookSignatureError
from ticketing_payments.stripe_gateway import API_VERSION, StripeGateway
from ticketing_testkit.bank import Bank
from ticketing_testkit.stripe_proxy import FaultKind, StripeProxy

from .scenario import MakeSettings, Sign, make_order

GOOD, BAD = "pm_card_visa", "pm_card_chargeCustomerFail"


@pytest.fixture(params=["stripe", "localstripe"])
async def gateway(
    request: pytest.FixtureRequest, make_settings: MakeSettings, proxy: StripeProxy, stripe_url: str
) -> AsyncIterator[StripeGateway]:
    """Both profiles: that of Stripe with the proxy, and that of the double with the double itself."""
    url = proxy.url if request.param == "stripe" else stripe_url
    settings = make_settings(stripe_api_base=url, stripe_parameter_profile=request.param)
    async with StripeGateway.connect(settings) as connected:
        yield connected


@pytest.fixture
async def stripe(make_settings: MakeSettings, proxy: StripeProxy) -> AsyncIterator[StripeGateway]:
    async with StripeGateway.connect(make_settings(stripe_api_base=proxy.url)) as connected:
        yield connected


def begin(method: str | None = GOOD, **changes: Any) -> Payment:
    return Payment.begin(make_order(**changes), attempt=1, payment_method_id=method)


def known(payment: Payment) -> str:
    """Its id at Stripe, which it has from the first call on."""
    assert payment.stripe_id is not None
    return payment.stripe_id


async def authorized(gateway: StripeGateway, payment: Payment) -> None:
    payment.follow(await gateway.create(payment))
    payment.follow(await gateway.confirm(known(payment)))


async def test_a_card_is_authorised_and_then_captured(gateway: StripeGateway, bank: Bank) -> None:
    payment = begin()
    created = await gateway.create(payment)
    assert created.state is IntentState.UNCONFIRMED
    assert (await gateway.confirm(created.id)).state is IntentState.AUTHORIZED
    payment.follow(created)
    assert (await gateway.retrieve(created.id)).state is IntentState.AUTHORIZED
    assert (await gateway.capture(payment)).state is IntentState.CAPTURED
    assert (await gateway.capture(payment)).state is IntentState.CAPTURED
    found = await bank.intent(created.id)
    assert (found["amount"], found["currency"], found["capture_method"]) == (2_550, "usd", "manual")
    assert found["metadata"] == {"order_id": payment.order_id, "payment_id": payment.id}


async def test_a_declined_card_has_a_reason(gateway: StripeGateway) -> None:
    created = await gateway.create(begin(BAD))
    declined = await gateway.confirm(created.id)
    assert declined.state is IntentState.DECLINED
    assert declined.decline is not None
    assert (declined.decline.message, declined.decline.code) == ("Your card was declined.", "card_declined")
    again = await gateway.retrieve(created.id)
    assert (again.state, again.decline) == (IntentState.DECLINED, declined.decline)
    assert (await gateway.cancel(created.id)).state is IntentState.CANCELLED


async def test_3d_secure_continues_after_the_buyers_step(gateway: StripeGateway, bank: Bank) -> None:
    created = await gateway.create(begin(await bank.card()))
    waiting = await gateway.confirm(created.id)
    assert waiting.state is IntentState.NEEDS_BUYER
    assert waiting.client_secret
    await bank.authenticate(created.id, success=True)
    assert (await gateway.retrieve(created.id)).state is IntentState.AUTHORIZED


async def test_3d_secure_that_fails_is_a_decline(gateway: StripeGateway, bank: Bank) -> None:
    created = await gateway.create(begin(await bank.card()))
    await gateway.confirm(created.id)
    await bank.authenticate(created.id, success=False)
    assert (await gateway.retrieve(created.id)).state is IntentState.DECLINED


async def test_without_a_card_the_browser_enters_one(gateway: StripeGateway) -> None:
    created = await gateway.create(begin(None))
    assert created.state is IntentState.NEEDS_BUYER
    assert created.client_secret


async def test_cancelling_is_idempotent(gateway: StripeGateway) -> None:
    payment = begin()
    await authorized(gateway, payment)
    for _ in range(2):
        assert (await gateway.cancel(known(payment))).state is IntentState.CANCELLED


async def test_money_is_refunded_once(gateway: StripeGateway, bank: Bank) -> None:
    payment = begin()
    await authorized(gateway, payment)
    await gateway.capture(payment)
    assert (await gateway.cancel(known(payment))).state is IntentState.CAPTURED
    for _ in range(2):
        assert (await gateway.refund(payment)).state is IntentState.REFUNDED
    refunds = await bank.call("GET", f"/v1/refunds?payment_intent={payment.stripe_id}")
    assert [refund["amount"] for refund in refunds["data"]] == [payment.amount_cents]
    assert (await gateway.retrieve(known(payment))).state is IntentState.REFUNDED


async def test_an_unknown_payment_method_is_refused_at_the_beginning(gateway: StripeGateway) -> None:
    with pytest.raises(PaymentMethodRefusedError):
        await gateway.create(begin("pm_nobody_knows"))


async def test_a_second_confirmation_does_nothing(gateway: StripeGateway) -> None:
    created = await gateway.create(begin())
    await gateway.confirm(created.id)
    assert (await gateway.confirm(created.id)).state is IntentState.AUTHORIZED


async def test_the_same_key_gives_the_same_payment_intent(
    stripe: StripeGateway, bank: Bank, proxy: StripeProxy
) -> None:
    payment = begin()
    first, second = await stripe.create(payment), await stripe.create(payment)
    assert first == second
    assert len(await bank.intents_of(payment.order_id)) == 1
    assert {call.key for call in proxy.made("POST /v1/payment_intents$")} == {payment.idempotency_key}


@pytest.mark.parametrize("fault", ["lost", "crashed", "away"])
async def test_no_response_is_unknown_and_not_a_failure(
    stripe: StripeGateway, proxy: StripeProxy, fault: FaultKind
) -> None:
    proxy.fail(fault, "POST /v1/payment_intents$", times=9)
    with pytest.raises(StripeUnknownError) as caught:
        await stripe.create(begin())
    assert caught.value.retry_after_seconds > 0
    assert caught.value.__cause__ is None


async def test_the_wait_for_a_response_is_limited(make_settings: MakeSettings, proxy: StripeProxy) -> None:
    proxy.fail("silent", "POST /v1/payment_intents$", times=9)
    async with StripeGateway.connect(make_settings(stripe_api_base=proxy.url, stripe_timeout_seconds=0.2)) as gateway:
        async with asyncio.timeout(60):
            with pytest.raises(StripeUnknownError):
                await gateway.create(begin())


async def test_a_refusal_of_our_key_is_not_the_buyers_fault(make_settings: MakeSettings, stripe_url: str) -> None:
    settings = make_settings(stripe_api_base=stripe_url, stripe_key="no key at all")
    async with StripeGateway.connect(settings) as gateway:
        with pytest.raises(StripeUnknownError):
            await gateway.create(begin())


async def test_a_refused_capture_is_a_decline_only_if_nothing_was_captured(
    stripe: StripeGateway, proxy: StripeProxy
) -> None:
    payment = begin()
    await authorized(stripe, payment)
    proxy.fail("refused", "/capture$", error={"code": "charge_expired_for_capture", "message": "too late"})
    refused = await stripe.capture(payment)
    assert refused.decline is not None
    assert (refused.state, refused.decline.code) == (IntentState.AUTHORIZED, "charge_expired_for_capture")


async def test_each_money_moving_call_is_made_with_the_pinned_version_and_an_idempotency_key(
    stripe: StripeGateway, proxy: StripeProxy
) -> None:
    payment = begin()
    await authorized(stripe, payment)
    await stripe.capture(payment)
    await stripe.refund(payment)
    assert all(call.key for call in proxy.made("^POST "))
    assert proxy.made("/capture$")[0].key == f"{payment.idempotency_key}:capture"
    assert proxy.made("/refunds$")[0].key == f"{payment.idempotency_key}:refund"
    assert {call.version for call in proxy.calls} == {API_VERSION}
    assert ("allowed_payment_method_types[0]", "card") in proxy.made("POST /v1/payment_intents$")[0].form
    assert ("use_stripe_sdk", "true") in proxy.made("/confirm$")[0].form


async def test_a_signed_webhook_names_its_payment(stripe: StripeGateway, sign: Sign) -> None:
    payment_id = new_id()
    body, signature = sign(payment_id, event_id="evt_1")
    event = stripe.read_webhook(body, signature)
    assert (event.id, event.type, event.payment_id) == ("evt_1", "payment_intent.succeeded", payment_id)


async def test_a_webhook_about_something_else_concerns_no_payment(
    stripe: StripeGateway, sign: Sign, webhook_secret: str
) -> None:
    for subject in ({"object": "charge", "metadata": {"payment_id": "x"}}, {"object": "payment_intent"}):
        body, _ = sign(None)
        event = json.loads(body)
        event["data"]["object"] = subject
        changed = json.dumps(event)
        header = sign_text(changed, webhook_secret)
        assert stripe.read_webhook(changed.encode(), header).payment_id is None


def sign_text(body: str, secret: str) -> str:
    import stripe

    header: str = stripe.WebhookSignature.generate_signature_header(body, secret)
    return header


async def test_an_unsigned_altered_old_or_strange_webhook_is_refused(
    stripe: StripeGateway, sign: Sign, webhook_secret: str
) -> None:
    body, signature = sign("payment-1")
    strange = '{"hello": "world"}'
    for refused in (
        (body, None),
        (body, ""),
        (body, "nonsense"),
        (body.replace(b"payment-1", b"payment-2"), signature),
        sign("payment-1", secret="whsec_of_another_account"),
        sign("payment-1", timestamp=int(time.time()) - 600),
        (strange.encode(), sign_text(strange, webhook_secret)),
        (b"[]", sign_text("[]", webhook_secret)),
        (b"not json", sign_text("not json", webhook_secret)),
        (b"\xff\xfe", signature),
    ):
        with pytest.raises(WebhookSignatureError):
            stripe.read_webhook(*refused)
