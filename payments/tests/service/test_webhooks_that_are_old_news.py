"""Stripe tells of everything, also of what its answer has told already: then it is not asked once more."""

import pytest

from ticketing_common.events import PaymentStatus
from ticketing_payments.errors import CardDeclinedError, StripeUnknownError
from ticketing_payments.service import PaymentService
from ticketing_payments.stripe_gateway import StripeGateway

BAD = "pm_card_chargeCustomerFail"
AUTHORIZED = "payment_intent.amount_capturable_updated"
CAPTURED = "payment_intent.succeeded"
CANCELLED = "payment_intent.canceled"
DECLINED = "payment_intent.payment_failed"


@pytest.fixture
def told_by_stripe(sign, stores, proxy):
    """A webhook comes; returns what Stripe was called for because of it."""

    async def tell(scenario, payment, event_type: str, *, by: PaymentService | None = None, **changes) -> list[str]:
        service = by or scenario.service
        before = len(proxy.calls)
        event = await service.receive_webhook(*sign(payment.id, event_type=event_type, **changes))
        await service.apply_webhook(event)
        assert await stores.inbox._collection.count_documents({"_id": event.id, "applied": True}) == 1
        return [f"{call.method} {call.path.rpartition('/')[2]}" for call in proxy.calls[before:]]

    return tell


async def test_a_purchase_takes_three_calls_with_all_its_webhooks(scenario, proxy, told_by_stripe):
    payment = await scenario.pay()
    assert await told_by_stripe(scenario, payment, "payment_intent.created") == []
    for _ in range(2):
        assert await told_by_stripe(scenario, payment, AUTHORIZED, event_id="evt_twice") == []
    await scenario.complete(payment)
    for late in (CAPTURED, CAPTURED, AUTHORIZED, "payment_intent.requires_action", "payment_intent.created"):
        assert await told_by_stripe(scenario, payment, late) == []
    assert await scenario.statuses() == [PaymentStatus.CAPTURED]
    assert await scenario.told() == ["payment.authorized", "payment.captured"]
    assert [call.path.rpartition("/")[2] for call in proxy.calls[1:]] == ["confirm", "capture"]


async def test_a_webhook_that_is_faster_than_the_answer_is_asked_about(
    scenario, make_settings, stores, proxy, told_by_stripe
):
    settings = make_settings(stripe_api_base=proxy.url)
    async with StripeGateway.connect(settings) as gateway:
        replica = PaymentService(stores.payments, stores.orders, stores.inbox, gateway, settings)
        calls = []

        async def webhook_first(call, _body) -> None:
            if call.path.endswith("/confirm"):
                (payment,) = await scenario.payments()
                calls.extend(await told_by_stripe(scenario, payment, AUTHORIZED, by=replica))

        proxy.before_answer = webhook_first
        payment = await scenario.pay()
    assert calls == [f"GET {payment.stripe_id}"]
    assert await scenario.statuses() == [PaymentStatus.AUTHORIZED]
    assert await scenario.told() == ["payment.authorized"]


async def test_money_that_was_captured_by_hand_is_asked_about(scenario, bank, told_by_stripe):
    payment = await scenario.pay()
    await bank.call("POST", f"/v1/payment_intents/{payment.stripe_id}/capture")
    assert await told_by_stripe(scenario, payment, CAPTURED) == [f"GET {payment.stripe_id}"]
    assert await scenario.statuses() == [PaymentStatus.CAPTURED]


async def test_old_news_go_on_with_what_is_still_to_be_done(scenario, proxy, told_by_stripe):
    payment = await scenario.pay()
    proxy.fail("away", "/capture$", times=3)
    with pytest.raises(StripeUnknownError):
        await scenario.complete(payment)
    assert await told_by_stripe(scenario, payment, AUTHORIZED) == ["POST capture"]
    assert await scenario.statuses() == [PaymentStatus.CAPTURED]


async def test_a_cancelled_payment_is_over_for_good(scenario, bank, told_by_stripe):
    payment = await scenario.pay()
    await scenario.cancel()
    assert await told_by_stripe(scenario, payment, CANCELLED) == []
    assert await told_by_stripe(scenario, payment, AUTHORIZED) == [f"GET {payment.stripe_id}"]
    assert await scenario.statuses() == [PaymentStatus.VOIDED]


async def test_an_authorisation_that_ended_without_us_is_asked_about(scenario, bank, told_by_stripe):
    payment = await scenario.pay()
    await bank.call("POST", f"/v1/payment_intents/{payment.stripe_id}/cancel")
    assert await told_by_stripe(scenario, payment, CANCELLED) == [f"GET {payment.stripe_id}"]
    assert await scenario.statuses() == [PaymentStatus.FAILED]


async def test_money_captured_on_a_payment_that_is_over_is_given_back(scenario, bank, stores, told_by_stripe):
    payment = await scenario.pay()
    await bank.call("POST", f"/v1/payment_intents/{payment.stripe_id}/capture")
    await stores.payments.collection.update_one({"_id": payment.id}, {"$set": {"status": "voided", "check_at": None}})
    assert "POST refunds" in await told_by_stripe(scenario, payment, CAPTURED)
    assert await told_by_stripe(scenario, payment, CAPTURED) == [f"GET {payment.stripe_id}"], "late, after the refund"
    refunds = await bank.call("GET", f"/v1/refunds?payment_intent={payment.stripe_id}")
    assert [refund["amount"] for refund in refunds["data"]] == [payment.amount_cents]


async def test_a_declined_payment_that_stripe_still_holds_open_is_closed_there(scenario, proxy, bank, told_by_stripe):
    proxy.fail("away", "/cancel$", times=3)
    with pytest.raises(CardDeclinedError):
        await scenario.pay(BAD)
    (payment,) = await scenario.payments()
    assert await told_by_stripe(scenario, payment, DECLINED) == [f"GET {payment.stripe_id}", "POST cancel"]
    assert (await bank.intent(payment.stripe_id))["status"] == "canceled"


async def test_a_kind_that_nobody_knows_is_asked_about(scenario, told_by_stripe):
    payment = await scenario.pay()
    await scenario.complete(payment)
    assert await told_by_stripe(scenario, payment, "payment_intent.on_the_moon") == [f"GET {payment.stripe_id}"]
