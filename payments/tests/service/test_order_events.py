import asyncio

import pytest
from prometheus_client import REGISTRY

from ticketing_common.events import OrderData, OrderReason, OrderStatus, PaymentStatus
from ticketing_payments.domain import Payment
from ticketing_payments.errors import (
    PaymentNotPossibleError,
    StripeUnknownError,
)
from ticketing_payments.service import PaymentService
from ticketing_payments.stripe_gateway import StripeGateway
from ticketing_testkit.bank import Bank
from ticketing_testkit.stripe_proxy import FaultKind, StripeProxy

from ..scenario import MakeSettings, Scenario, Stores

GOOD, BAD = "pm_card_visa", "pm_card_chargeCustomerFail"


async def status_at_stripe(bank: Bank, payment: Payment) -> str:
    return str((await bank.intent(payment.stripe_id))["status"])


async def test_a_cancelled_order_voids_its_payment(scenario: Scenario, bank: Bank) -> None:
    payment = await scenario.pay()
    await scenario.cancel()
    await scenario.change()
    assert await scenario.statuses() == [PaymentStatus.VOIDED]
    assert await status_at_stripe(bank, payment) == "canceled"
    assert await scenario.published() == ["payment.authorized", "payment.voided"]


async def test_an_order_that_is_cancelled_during_the_authorisation_is_voided_at_once(
    scenario: Scenario, proxy: StripeProxy, bank: Bank
) -> None:
    asked = proxy.fail("held", "/confirm$")
    paying = asyncio.create_task(scenario.pay())
    await asked.reached.wait()
    cancelling = asyncio.create_task(scenario.cancel(OrderReason.BUYER))
    order: OrderData | None = None
    while order is None or order.status is not OrderStatus.CANCELLED:
        await asyncio.sleep(0.01)
        order = await scenario.stores.orders.find(scenario.order.id)
    asked.release()
    with pytest.raises(PaymentNotPossibleError):
        await paying
    await cancelling
    assert await scenario.statuses() == [PaymentStatus.VOIDED]
    assert [one["status"] for one in await bank.intents_of(scenario.order.id)] == ["canceled"]


async def test_a_confirmation_by_another_replica_during_a_cancellation_is_voided(
    scenario: Scenario, stores: Stores, make_settings: MakeSettings, proxy: StripeProxy, bank: Bank
) -> None:
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
async def test_a_capture_without_a_response_is_retried_with_the_same_key(
    scenario: Scenario, proxy: StripeProxy, bank: Bank, fault: FaultKind
) -> None:
    payment = await scenario.pay()
    proxy.fail(fault, "/capture$", times=3)
    with pytest.raises(StripeUnknownError):  # so that the event is redelivered
        await scenario.complete(payment)
    assert await scenario.statuses() == [PaymentStatus.AUTHORIZED]
    await scenario.due()
    assert await scenario.statuses() == [PaymentStatus.CAPTURED]
    assert len({call.key for call in proxy.made("/capture$")}) == 1
    assert await scenario.published() == ["payment.authorized", "payment.captured"]


async def test_a_capture_that_fails_permanently_fails_the_payment(
    scenario: Scenario, proxy: StripeProxy, bank: Bank
) -> None:
    payment = await scenario.pay()
    proxy.fail("refused", "/capture$", error={"code": "charge_expired_for_capture"})
    await scenario.complete(payment)
    assert await scenario.statuses() == [PaymentStatus.FAILED]
    assert await scenario.published() == ["payment.authorized", "payment.failed"]
    assert await status_at_stripe(bank, payment) == "canceled", "no authorisation stays on the buyer's card"
    await scenario.cancel(OrderReason.PAYMENT_FAILED)
    assert await scenario.statuses() == [PaymentStatus.FAILED]


async def test_an_authorisation_that_ended_at_stripe_fails_the_payment_of_a_complete_order(
    scenario: Scenario, bank: Bank
) -> None:
    payment = await scenario.pay()
    await bank.call("POST", f"/v1/payment_intents/{payment.stripe_id}/cancel")
    await scenario.complete(payment)
    assert await scenario.published() == ["payment.authorized", "payment.failed"]


async def test_a_capture_that_lost_a_race_is_refunded_once(scenario: Scenario, proxy: StripeProxy, bank: Bank) -> None:
    payment = await scenario.pay()
    await scenario.complete(payment)
    proxy.fail("lost", "/refunds$", times=3)
    with pytest.raises(StripeUnknownError):
        await scenario.cancel()
    await scenario.change()
    assert await scenario.statuses() == [PaymentStatus.REFUNDED]
    refunds = await bank.call("GET", f"/v1/refunds?payment_intent={payment.stripe_id}")
    assert [refund["amount"] for refund in refunds["data"]] == [scenario.order.ticket.price_cents]
    assert await scenario.published() == ["payment.authorized", "payment.captured", "payment.refunded"]


async def test_a_manual_capture_for_a_cancelled_order_is_refunded(scenario: Scenario, bank: Bank) -> None:
    payment = await scenario.pay()
    await bank.call("POST", f"/v1/payment_intents/{payment.stripe_id}/capture")
    await scenario.cancel()
    assert await scenario.published() == ["payment.authorized", "payment.captured", "payment.refunded"]
    refunds = await bank.call("GET", f"/v1/refunds?payment_intent={payment.stripe_id}")
    assert len(refunds["data"]) == 1


async def test_a_void_without_a_response_is_retried(scenario: Scenario, proxy: StripeProxy, bank: Bank) -> None:
    payment = await scenario.pay()
    proxy.fail("lost", "/cancel$", times=3)
    with pytest.raises(StripeUnknownError):
        await scenario.cancel()
    await scenario.due()
    assert await scenario.statuses() == [PaymentStatus.VOIDED]
    assert await status_at_stripe(bank, payment) == "canceled"


async def test_events_out_of_order_lead_to_the_newest_state(scenario: Scenario, bank: Bank) -> None:
    payment = await scenario.pay()
    created = scenario.order
    await scenario.complete(payment)
    await scenario.service.follow_order(created)
    assert await scenario.statuses() == [PaymentStatus.CAPTURED]


async def test_captures_and_refunds_are_counted(scenario: Scenario) -> None:
    def cents(name: str) -> float:
        return REGISTRY.get_sample_value(name, {"currency": "usd"}) or 0.0

    taken, returned = cents("captured_cents_total"), cents("refunded_cents_total")
    payment = await scenario.pay()
    assert cents("captured_cents_total") == taken
    await scenario.complete(payment)
    await scenario.complete(payment)  # delivered again
    assert cents("captured_cents_total") - taken == payment.amount_cents
    await scenario.cancel()
    assert cents("refunded_cents_total") - returned == payment.amount_cents
