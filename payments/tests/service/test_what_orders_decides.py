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


async def test_a_cancelled_order_lets_the_money_go(story, bank):
    payment = await story.pay()
    await story.cancel()
    await story.change()
    assert await story.statuses() == [PaymentStatus.VOIDED]
    assert await status_at_stripe(bank, payment) == "canceled"
    assert await story.told() == ["payment.authorized", "payment.voided"]


async def test_an_order_that_is_cancelled_while_the_bank_is_asked_lets_the_money_go_at_once(story, proxy, bank):
    asked = proxy.fail("held", "/confirm$")
    paying = asyncio.create_task(story.pay())
    await asked.reached.wait()
    cancelling = asyncio.create_task(story.cancel(OrderReason.BUYER))
    while (await story.stores.orders.find(story.order.id)).status is not OrderStatus.CANCELLED:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    asked.release()
    with pytest.raises(PaymentNotPossibleError):
        await paying
    await cancelling
    assert await story.statuses() == [PaymentStatus.VOIDED]
    assert [one["status"] for one in await bank.intents_of(story.order.id)] == ["canceled"]


async def test_what_another_replica_confirms_while_this_one_cancels_is_let_go(
    story, stores, make_settings, proxy, bank
):
    asked = proxy.fail("held", "/confirm$")
    paying = asyncio.create_task(story.pay())
    await asked.reached.wait()
    settings = make_settings(stripe_api_base=proxy.url)
    async with StripeGateway.connect(settings) as gateway:
        story.service = PaymentService(stores.payments, stores.orders, stores.inbox, gateway, settings)
        await story.cancel()
        assert await story.statuses() == [PaymentStatus.VOIDED]
        asked.release()
        with pytest.raises(PaymentNotPossibleError):
            await paying
    assert await story.statuses() == [PaymentStatus.VOIDED]
    assert [one["status"] for one in await bank.intents_of(story.order.id)] == ["canceled"]


@pytest.mark.parametrize("fault", ["lost", "away"])
async def test_a_capture_without_an_answer_is_tried_again_with_the_same_key(story, proxy, bank, fault):
    payment = await story.pay()
    proxy.fail(fault, "/capture$", times=3)
    with pytest.raises(StripeUnknownError):  # which delivery puts off and brings again
        await story.complete(payment)
    assert await story.statuses() == [PaymentStatus.AUTHORIZED]
    await story.due()
    assert await story.statuses() == [PaymentStatus.CAPTURED]
    assert len({call.key for call in proxy.made("/capture$")}) == 1
    assert await story.told() == ["payment.authorized", "payment.captured"]


async def test_a_capture_that_is_refused_for_good_fails_the_payment(story, proxy, bank):
    payment = await story.pay()
    proxy.fail("refused", "/capture$", error={"code": "charge_expired_for_capture"})
    await story.complete(payment)
    assert await story.statuses() == [PaymentStatus.FAILED]
    assert await story.told() == ["payment.authorized", "payment.failed"]
    assert await status_at_stripe(bank, payment) == "canceled", "nothing stays set aside on the buyer's card"
    await story.cancel(OrderReason.PAYMENT_FAILED)
    assert await story.statuses() == [PaymentStatus.FAILED]


async def test_an_authorisation_that_ended_at_stripe_fails_the_payment_of_a_complete_order(story, bank):
    payment = await story.pay()
    await bank.call("POST", f"/v1/payment_intents/{payment.stripe_id}/cancel")
    await story.complete(payment)
    assert await story.told() == ["payment.authorized", "payment.failed"]


async def test_what_a_lost_race_captured_is_given_back_once(story, proxy, bank):
    payment = await story.pay()
    await story.complete(payment)
    proxy.fail("lost", "/refunds$", times=3)
    with pytest.raises(StripeUnknownError):
        await story.cancel()
    await story.change()
    assert await story.statuses() == [PaymentStatus.REFUNDED]
    refunds = await bank.call("GET", f"/v1/refunds?payment_intent={payment.stripe_id}")
    assert [refund["amount"] for refund in refunds["data"]] == [story.order.ticket.price_cents]
    assert await story.told() == ["payment.authorized", "payment.captured", "payment.refunded"]


async def test_money_that_was_captured_at_stripe_for_a_cancelled_order_is_given_back(story, bank):
    payment = await story.pay()
    await bank.call("POST", f"/v1/payment_intents/{payment.stripe_id}/capture")
    await story.cancel()
    assert await story.told() == ["payment.authorized", "payment.captured", "payment.refunded"]
    refunds = await bank.call("GET", f"/v1/refunds?payment_intent={payment.stripe_id}")
    assert len(refunds["data"]) == 1


async def test_letting_go_without_an_answer_is_tried_again(story, proxy, bank):
    payment = await story.pay()
    proxy.fail("lost", "/cancel$", times=3)
    with pytest.raises(StripeUnknownError):
        await story.cancel()
    await story.due()
    assert await story.statuses() == [PaymentStatus.VOIDED]
    assert await status_at_stripe(bank, payment) == "canceled"


async def test_an_order_that_is_told_of_out_of_order_ends_as_its_newest_state_says(story, bank):
    payment = await story.pay()
    created = story.order
    await story.complete(payment)
    await story.service.follow_order(created)
    assert await story.statuses() == [PaymentStatus.CAPTURED]


async def test_money_is_counted_when_it_is_taken_and_when_it_is_given_back(story):
    def cents(name: str) -> float:
        return REGISTRY.get_sample_value(name, {"currency": "usd"}) or 0.0

    taken, returned = cents("captured_cents_total"), cents("refunded_cents_total")
    payment = await story.pay()
    assert cents("captured_cents_total") == taken
    await story.complete(payment)
    await story.complete(payment)  # told again
    assert cents("captured_cents_total") - taken == payment.amount_cents
    await story.cancel()
    assert cents("refunded_cents_total") - returned == payment.amount_cents
