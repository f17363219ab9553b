"""Stripe sends webhooks about what its responses have already shown; these trigger no further call to Stripe."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from ticketing_common.events import PaymentStatus
from ticketing_payments.domain import Payment
from ticketing_payments.errors import CardDeclinedError, StripeUnknownError
from ticketing_payments.service import PaymentService
from ticketing_payments.stripe_gateway import StripeGateway
from ticketing_testkit.bank import Bank
from ticketing_testkit.stripe_proxy import Call, StripeProxy

from ..scenario import MakeSettings, Scenario, Sign, Stores

BAD = "pm_card_chargeCustomerFail"
AUTHORIZED = "payment_intent.amount_capturable_updated"
CAPTURED = "payment_intent.succeeded"
CANCELLED = "payment_intent.canceled"
DECLINED = "payment_intent.payment_failed"


WebhookFromStripe: TypeAlias = Callable[..., Awaitable[list[str]]]


@pytest.fixture
def webhook_from_stripe(sign: Sign, stores: Stores, proxy: StripeProxy) -> WebhookFromStripe:
    """Receives and applies a webhook. Returns the calls to Stripe that it triggers."""

    async def send_webhook(
        scenario: Scenario, payment: Payment, event_type: str, *, by: PaymentService | None = None, **changes: Any
    ) -> list[str]:
        service = by or scenario.service
        before = len(proxy.calls)
        event = await service.receive_webhook(*sign(payment.id, event_type=event_type, **changes))
        await service.apply_webhook(event)
        assert await stores.inbox.collection.count_documents({"_id": event.id, "applied": True}) == 1
        return [f"{call.method} {call.path.rpartition('/')[2]}" for call in proxy.calls[before:]]

    return send_webhook


async def test_a_purchase_takes_three_calls_with_all_its_webhooks(
    scenario: Scenario, proxy: StripeProxy, webhook_from_stripe: WebhookFromStripe
) -> None:
    payment = await scenario.pay()
    assert await webhook_from_stripe(scenario, payment, "payment_intent.created") == []
    for _ in range(2):
        assert await webhook_from_stripe(scenario, payment, AUTHORIZED, event_id="evt_twice") == []
    await scenario.complete(payment)
    for late in (CAPTURED, CAPTURED, AUTHORIZED, "payment_intent.requires_action", "payment_intent.created"):
        assert await webhook_from_stripe(scenario, payment, late) == []
    assert await scenario.statuses() == [PaymentStatus.CAPTURED]
    assert await scenario.published() == ["payment.authorized", "payment.captured"]
    assert [call.path.rpartition("/")[2] for call in proxy.calls[1:]] == ["confirm", "capture"]


async def test_a_webhook_about_a_known_state_is_stored_as_applied(
    scenario: Scenario, stores: Stores, sign: Sign
) -> None:
    payment = await scenario.pay()
    assert not (await scenario.service.receive_webhook(*sign(payment.id, event_type=CAPTURED))).applied
    event = await scenario.service.receive_webhook(*sign(payment.id, event_type=AUTHORIZED, event_id="evt_late"))
    assert event.applied
    assert await stores.inbox.collection.count_documents({"_id": "evt_late", "applied": True}) == 1
    assert not (await scenario.service.receive_webhook(*sign(payment.id, event_type="payment_intent.other"))).applied


async def test_a_webhook_that_arrives_before_the_response_triggers_a_retrieval(
    scenario: Scenario,
    make_settings: MakeSettings,
    stores: Stores,
    proxy: StripeProxy,
    webhook_from_stripe: WebhookFromStripe,
) -> None:
    settings = make_settings(stripe_api_base=proxy.url)
    async with StripeGateway.connect(settings) as gateway:
        replica = PaymentService(stores.payments, stores.orders, stores.inbox, gateway, settings)
        calls = []

        async def webhook_first(call: Call, _body: object) -> None:
            if call.path.endswith("/confirm"):
                (payment,) = await scenario.payments()
                calls.extend(await webhook_from_stripe(scenario, payment, AUTHORIZED, by=replica))

        proxy.before_answer = webhook_first
        payment = await scenario.pay()
    assert calls == [f"GET {payment.stripe_id}"]
    assert await scenario.statuses() == [PaymentStatus.AUTHORIZED]
    assert await scenario.published() == ["payment.authorized"]


async def test_a_manual_capture_triggers_a_retrieval(
    scenario: Scenario, bank: Bank, webhook_from_stripe: WebhookFromStripe
) -> None:
    payment = await scenario.pay()
    await bank.call("POST", f"/v1/payment_intents/{payment.stripe_id}/capture")
    assert await webhook_from_stripe(scenario, payment, CAPTURED) == [f"GET {payment.stripe_id}"]
    assert await scenario.statuses() == [PaymentStatus.CAPTURED]


async def test_an_outdated_webhook_continues_a_due_step(
    scenario: Scenario, proxy: StripeProxy, webhook_from_stripe: WebhookFromStripe
) -> None:
    payment = await scenario.pay()
    proxy.fail("away", "/capture$", times=3)
    with pytest.raises(StripeUnknownError):
        await scenario.complete(payment)
    assert await webhook_from_stripe(scenario, payment, AUTHORIZED) == ["POST capture"]
    assert await scenario.statuses() == [PaymentStatus.CAPTURED]


async def test_a_webhook_about_a_voided_payment_triggers_no_call(
    scenario: Scenario, bank: Bank, webhook_from_stripe: WebhookFromStripe
) -> None:
    payment = await scenario.pay()
    await scenario.cancel()
    assert await webhook_from_stripe(scenario, payment, CANCELLED) == []
    assert await webhook_from_stripe(scenario, payment, AUTHORIZED) == [f"GET {payment.stripe_id}"]
    assert await scenario.statuses() == [PaymentStatus.VOIDED]


async def test_an_authorisation_that_ended_at_stripe_triggers_a_retrieval(
    scenario: Scenario, bank: Bank, webhook_from_stripe: WebhookFromStripe
) -> None:
    payment = await scenario.pay()
    await bank.call("POST", f"/v1/payment_intents/{payment.stripe_id}/cancel")
    assert await webhook_from_stripe(scenario, payment, CANCELLED) == [f"GET {payment.stripe_id}"]
    assert await scenario.statuses() == [PaymentStatus.FAILED]


async def test_money_captured_on_a_payment_that_is_over_is_refunded(
    scenario: Scenario, bank: Bank, stores: Stores, webhook_from_stripe: WebhookFromStripe
) -> None:
    payment = await scenario.pay()
    await bank.call("POST", f"/v1/payment_intents/{payment.stripe_id}/capture")
    await stores.payments.collection.update_one({"_id": payment.id}, {"$set": {"status": "voided", "check_at": None}})
    assert "POST refunds" in await webhook_from_stripe(scenario, payment, CAPTURED)
    assert await webhook_from_stripe(scenario, payment, CAPTURED) == [f"GET {payment.stripe_id}"], (
        "late, after the refund"
    )
    refunds = await bank.call("GET", f"/v1/refunds?payment_intent={payment.stripe_id}")
    assert [refund["amount"] for refund in refunds["data"]] == [payment.amount_cents]


async def test_a_declined_payment_that_is_open_at_stripe_is_cancelled_there(
    scenario: Scenario, proxy: StripeProxy, bank: Bank, webhook_from_stripe: WebhookFromStripe
) -> None:
    proxy.fail("away", "/cancel$", times=3)
    with pytest.raises(CardDeclinedError):
        await scenario.pay(BAD)
    (payment,) = await scenario.payments()
    assert await webhook_from_stripe(scenario, payment, DECLINED) == [f"GET {payment.stripe_id}", "POST cancel"]
    assert (await bank.intent(payment.stripe_id))["status"] == "canceled"


async def test_an_unknown_event_type_triggers_a_retrieval(
    scenario: Scenario, webhook_from_stripe: WebhookFromStripe
) -> None:
    payment = await scenario.pay()
    await scenario.complete(payment)
    assert await webhook_from_stripe(scenario, payment, "payment_intent.on_the_moon") == [f"GET {payment.stripe_id}"]
