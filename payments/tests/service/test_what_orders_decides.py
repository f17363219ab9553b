import asyncio

import pytest
from prometheus_client import REGISTRY

from ticketing_common.events import OrderReason, OrderStatus, PaymentStatus
from ticketing_payments.errors import (
    PaymentNotPossibleError,
    StripeUnknownError,
)
from ticketing_payments.service import PaymentService
from ticketing_payments.stripe_gateway import StripeGateway

GOOD, BAD = "pm_card_visa", "pm_card_chargeCustomerFail"


async def status_at_stripe(bank, payment) -> str:
    return (await bank.intent(payment.stripe_id))["status"]


async def test_a_cancelled_order_lets_the_money_go(scenario, bank):
    payment = await scenario.pay()
    await scenario.cancel()
    await scenario.change()
    assert await scenario.statuses() == [PaymentStatus.VOIDED]
    assert await status_at_stripe(bank, payment) == "canceled"
    assert await scenario.told() == ["payment.authorized", "payment.voided"]


async def test_an_order_that_is_cancelled_while_the_bank_is_asked_lets_the_money_go_at_once(scenario, proxy, bank):
    asked = proxy.fail("held", "/confirm$")
    paying = asyncio.create_task(scenario.pay())
    await asked.reached.wait()
    cancelling = asyncio.create_task(scenario.cancel(OrderReason.BUYER))
    while (await scenario.stores.orders.find(scenario.order.id)).status is not OrderStatus.CANCELLED:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    asked.release()
    with pytest.raises(PaymentNotPossibleError):
        await paying
    await cancelling
    assert await scenario.statuses() == [PaymentStatus.VOIDED]
    assert [one["status"] for one in await bank.intents_of(scenario.order.id)] == ["canceled"]


async def test_what_another_replica_confirms_while_this_one_cancels_is_let_go(
    scenario, stores, make_settings, proxy, bank
):
    asked = proxy.fail("held", "/confirm$")
    paying = asyncio.create_task(scenario.pay())
    await asked.reached.wait()
    settings = make_settings(stripe_api_base=proxy.url)
    async with StripeGateway.connect(settings) as gateway:
        scenario.service = PaymentService(stores.payments, stores.orders, stores.inbox, gateway, settings)
        await scenario.cancel()
        assert await scenario.statuses() == [PaymentStatus.VOIDED]
        asked.release()
        with pytest.raises(PaymentNotPossibleError):
            await paying
    assert await scenario.statuses() == [PaymentStatus.VOIDED]
    assert [one["status"] for one in await bank.intents_of(scenario.order.id)] == ["canceled"]


@pytest.mark.parametrize("fault", ["lost", "away"])
async def test_a_capture_without_an_answer_is_tried_again_with_the_same_key(scenario, proxy, bank, fault):
    payment = await scenario.pay()
    proxy.fail(fault, "/capture$", times=3)
    with pytest.raises(StripeUnknownError):  # which delivery puts off and brings again
        await scenario.complete(payment)
    assert await scenario.statuses() == [PaymentStatus.AUTHORIZED]
    await scenario.due()
    assert await scenario.statuses() == [PaymentStatus.CAPTURED]
    assert len({call.key for call in proxy.made("/capture$")}) == 1
    assert await scenario.told() == ["payment.authorized", "payment.captured"]


async def test_a_capture_that_is_refused_for_good_fails_the_payment(scenario, proxy, bank):
    payment = await scenario.pay()
    proxy.fail("refused", "/capture$", error={"code": "charge_expired_for_capture"})
    await scenario.complete(payment)
    assert await scenario.statuses() == [PaymentStatus.FAILED]
    assert await scenario.told() == ["payment.authorized", "payment.failed"]
    assert await status_at_stripe(bank, payment) == "canceled", "nothing stays set aside on the buyer's card"
    await scenario.cancel(OrderReason.PAYMENT_FAILED)
    assert await scenario.statuses() == [PaymentStatus.FAILED]


async def test_an_authorisation_that_ended_at_stripe_fails_the_payment_of_a_complete_order(scenario, bank):
    payment = await scenario.pay()
    await bank.call("POST", f"/v1/payment_intents/{payment.stripe_id}/cancel")
    await scenario.complete(payment)
    assert await scenario.told() == ["payment.authorized", "payment.failed"]


async def test_what_a_lost_race_captured_is_given_back_once(scenario, proxy, bank):
    payment = await scenario.pay()
    await scenario.complete(payment)
    proxy.fail("lost", "/refunds$", times=3)
    with pytest.raises(StripeUnknownError):
        await scenario.cancel()
    await scenario.change()
    assert await scenario.statuses() == [PaymentStatus.REFUNDED]
    refunds = await bank.call("GET", f"/v1/refunds?payment_intent={payment.stripe_id}")
    assert [refund["amount"] for refund in refunds["data"]] == [scenario.order.ticket.price_cents]
    assert await scenario.told() == ["payment.authorized", "payment.captured", "payment.refunded"]


async def test_money_that_was_captured_at_stripe_for_a_cancelled_order_is_given_back(scenario, bank):
    payment = await scenario.pay()
    await bank.call("POST", f"/v1/payment_intents/{payment.stripe_id}/capture")
    await scenario.cancel()
    assert await scenario.told() == ["payment.authorized", "payment.captured", "payment.refunded"]
    refunds = await bank.call("GET", f"/v1/refunds?payment_intent={payment.stripe_id}")
    assert len(refunds["data"]) == 1


async def test_letting_go_without_an_answer_is_tried_again(scenario, proxy, bank):
    payment = await scenario.pay()
    proxy.fail("lost", "/cancel$", times=3)
    with pytest.raises(StripeUnknownError):
        await scenario.cancel()
    await scenario.due()
    assert await scenario.statuses() == [PaymentStatus.VOIDED]
    assert await status_at_stripe(bank, payment) == "canceled"


async def test_an_order_that_is_told_of_out_of_order_ends_as_its_newest_state_says(scenario, bank):
    payment = await scenario.pay()
    created = scenario.order
    await scenario.complete(payment)
    await scenario.service.follow_order(created)
    assert await scenario.statuses() == [PaymentStatus.CAPTURED]


async def test_money_is_counted_when_it_is_taken_and_when_it_is_given_back(scenario):
    def cents(name: str) -> float:
        return REGISTRY.get_sample_value(name, {"currency": "usd"}) or 0.0

    taken, returned = cents("captured_cents_total"), cents("refunded_cents_total")
    payment = await scenario.pay()
    assert cents("captured_cents_total") == taken
    await scenario.complete(payment)
    await scenario.complete(payment)  # told again
    assert cents("captured_cents_total") - taken == payment.amount_cents
    await scenario.cancel()
    assert cents("refunded_cents_total") - returned == payment.amount_cents
