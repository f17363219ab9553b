"""Refunds and disputes made at Stripe or by a bank are stored and published, from webhooks and from Stripe's list."""

import asyncio
import random

import pytest

from ticketing_common.events import PaymentStatus
from ticketing_payments.domain import Payment, StripeEvent
from ticketing_payments.errors import StripeUnknownError
from ticketing_payments.service import PaymentService
from ticketing_payments.stripe_gateway import StripeGateway
from ticketing_testkit.bank import Bank
from ticketing_testkit.stripe_proxy import StripeProxy

from ..scenario import MakeSettings, Scenario, Stores
from .refunding import AMOUNT, Deliver, listed_again, money


async def test_a_full_refund_in_the_dashboard_is_stored_and_published_once(
    scenario: Scenario, sold: Payment, bank: Bank, deliver: Deliver
) -> None:
    await bank.refund(sold.stripe_id)
    await deliver(sold, times=3)
    assert await money(scenario) == (PaymentStatus.REFUNDED, AMOUNT, False)
    assert await scenario.published() == ["payment.authorized", "payment.captured", "payment.refunded"]


async def test_each_partial_refund_is_published(
    scenario: Scenario, sold: Payment, bank: Bank, deliver: Deliver
) -> None:
    await bank.refund(sold.stripe_id, 1_000)
    await deliver(sold)
    assert await money(scenario) == (PaymentStatus.CAPTURED, 1_000, False)
    await bank.refund(sold.stripe_id, 1_550)
    await deliver(sold)
    assert await money(scenario) == (PaymentStatus.REFUNDED, AMOUNT, False)
    assert await scenario.published() == [
        "payment.authorized",
        "payment.captured",
        "payment.refunded",
        "payment.refunded",
    ]


@pytest.mark.parametrize("seed", range(4))
async def test_webhooks_in_any_order_lead_to_the_same_state(
    scenario: Scenario, sold: Payment, bank: Bank, deliver: Deliver, seed: int
) -> None:
    chance = random.Random(seed)
    refund = await bank.refund(sold.stripe_id, 500)
    await bank.fail_refund(refund["id"])
    await bank.refund(sold.stripe_id, 700)
    dispute = await bank.dispute(sold.stripe_id)
    await bank.decide(dispute["id"], "under_review")
    await deliver(sold, times=2, order=lambda events: chance.sample(events, len(events)))
    assert await money(scenario) == (PaymentStatus.CAPTURED, 700, True)
    assert (await scenario.published())[2:] == ["payment.refunded"], "one event carries both"


async def test_a_lost_dispute_ends_the_payment_and_a_won_one_does_not(
    scenario: Scenario, sold: Payment, bank: Bank, deliver: Deliver
) -> None:
    first = await bank.dispute(sold.stripe_id)
    await deliver(sold)
    assert await money(scenario) == (PaymentStatus.CAPTURED, 0, True)
    await bank.decide(first["id"], "won")
    await deliver(sold)
    assert await money(scenario) == (PaymentStatus.CAPTURED, 0, False)
    second = await bank.dispute(sold.stripe_id, amount=AMOUNT - 7)  # less, by the bank's exchange rate
    await bank.decide(second["id"], "lost")
    await deliver(sold)
    assert await money(scenario) == (PaymentStatus.REFUNDED, AMOUNT - 7, False)
    assert (await scenario.published())[2:] == ["payment.disputed", "payment.disputed", "payment.refunded"]


async def test_an_inquiry_is_a_dispute_until_it_is_closed(
    scenario: Scenario, sold: Payment, bank: Bank, deliver: Deliver
) -> None:
    inquiry = await bank.dispute(sold.stripe_id, status="warning_needs_response")
    await deliver(sold)
    assert await money(scenario) == (PaymentStatus.CAPTURED, 0, True)
    await bank.decide(inquiry["id"], "warning_closed")
    await deliver(sold)
    assert await money(scenario) == (PaymentStatus.CAPTURED, 0, False)


async def test_a_refund_that_fails_later_is_published_and_not_repeated(
    scenario: Scenario, sold: Payment, bank: Bank, deliver: Deliver, proxy: StripeProxy
) -> None:
    refund = await bank.refund(sold.stripe_id)
    await deliver(sold)
    await bank.fail_refund(refund["id"])
    await deliver(sold)
    assert await money(scenario) == (PaymentStatus.REFUNDED, 0, False)
    await scenario.cancel()
    assert await money(scenario) == (PaymentStatus.REFUNDED, 0, False)
    assert not proxy.made("POST /v1/refunds")
    assert (await scenario.published())[2:] == ["payment.refunded", "payment.refunded"]


async def test_a_refund_whose_webhook_never_comes_is_found_in_stripes_list(
    scenario: Scenario, sold: Payment, bank: Bank
) -> None:
    await bank.refund(sold.stripe_id)
    listed_again(scenario.service)
    await scenario.service.reconcile()
    assert await money(scenario) == (PaymentStatus.REFUNDED, AMOUNT, False)
    assert await scenario.published() == ["payment.authorized", "payment.captured", "payment.refunded"]


async def test_the_list_is_read_once_for_all_payments_and_from_where_it_was_read(
    scenario: Scenario, sold: Payment, bank: Bank, proxy: StripeProxy, stores: Stores
) -> None:
    await bank.refund(sold.stripe_id, 1)
    listed_again(scenario.service)
    await scenario.service.reconcile()
    newest = max(event["created"] for event in await bank.events(sold.stripe_id))
    assert await stores.inbox.read_until() >= newest
    proxy.calls.clear()
    await scenario.service.reconcile()
    assert not proxy.made("/v1/events"), "not before it is due"
    listed_again(scenario.service)
    await scenario.service.reconcile()
    assert len(proxy.made("/v1/events")) == 1
    assert not proxy.made(f"/v1/payment_intents/{sold.stripe_id}"), "an applied event triggers no further call"


async def test_a_crash_in_the_middle_of_the_list_loses_nothing(
    scenario: Scenario, sold: Payment, bank: Bank, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bank.refund(sold.stripe_id)

    async def die(_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as crash:
        crash.setattr(stores.inbox, "move_cursor", die)
        crash.setattr(scenario.service._stripe_events, "apply", die)
        listed_again(scenario.service)
        await scenario.service.reconcile()
    assert await money(scenario) == (PaymentStatus.CAPTURED, 0, False)
    await stores.inbox.collection.update_many({"applied": False}, {"$unset": {"due_at": ""}})  # time passes
    listed_again(scenario.service)
    await scenario.service.reconcile()
    assert await money(scenario) == (PaymentStatus.REFUNDED, AMOUNT, False)


async def test_a_failed_list_call_delays_no_payment(scenario: Scenario, bank: Bank, proxy: StripeProxy) -> None:
    payment = await scenario.pay(await bank.card())
    await bank.authenticate(payment.stripe_id, success=True)
    proxy.fail("away", "/v1/events", times=9)
    listed_again(scenario.service)
    await scenario.due()
    assert await scenario.statuses() == [PaymentStatus.AUTHORIZED]


async def test_a_refund_is_found_by_its_charge_when_it_names_no_payment_intent(
    scenario: Scenario, sold: Payment, bank: Bank
) -> None:
    charge = (await bank.intent(sold.stripe_id))["latest_charge"]["id"]
    await bank.refund(sold.stripe_id)
    await scenario.service.apply_webhook(StripeEvent("evt_charge", "refund.created", charge_id=charge))
    assert await money(scenario) == (PaymentStatus.REFUNDED, AMOUNT, False)
    await scenario.service.apply_webhook(StripeEvent("evt_unknown", "refund.created", charge_id="ch_unknown"))


async def test_two_replicas_that_receive_the_same_refund_publish_it_once(
    scenario: Scenario,
    sold: Payment,
    bank: Bank,
    deliver: Deliver,
    stores: Stores,
    make_settings: MakeSettings,
    proxy: StripeProxy,
) -> None:
    await bank.refund(sold.stripe_id)
    settings = make_settings(stripe_api_base=proxy.url)
    async with StripeGateway.connect(settings) as gateway:
        other = PaymentService(stores.payments, stores.orders, stores.inbox, gateway, settings)
        listed_again(other)
        await asyncio.gather(deliver(sold), deliver(sold, by=other), other.reconcile())
    assert await money(scenario) == (PaymentStatus.REFUNDED, AMOUNT, False)
    assert await scenario.published() == ["payment.authorized", "payment.captured", "payment.refunded"]


async def test_an_older_response_that_is_stored_last_is_corrected_by_the_next_check(
    scenario: Scenario,
    sold: Payment,
    bank: Bank,
    deliver: Deliver,
    stores: Stores,
    make_settings: MakeSettings,
    proxy: StripeProxy,
) -> None:
    await bank.refund(sold.stripe_id, 100)
    settings = make_settings(stripe_api_base=proxy.url)
    async with StripeGateway.connect(settings) as gateway:
        slow = PaymentService(stores.payments, stores.orders, stores.inbox, gateway, settings)
        assert sold.stripe_id is not None
        intent = await gateway.retrieve(sold.stripe_id)  # retrieved before the second refund
        await bank.refund(sold.stripe_id, 200)
        await deliver(sold)
        assert await money(scenario) == (PaymentStatus.CAPTURED, 300, False)
        await slow._change(sold, lambda payment: payment.follow(intent))  # and stored after it
    assert await money(scenario) == (PaymentStatus.CAPTURED, 100, False)
    await scenario.due()
    assert await money(scenario) == (PaymentStatus.CAPTURED, 300, False)
    await scenario.due()
    (payment,) = await scenario.payments()
    assert payment.check_at is None, "two checks with the same result are enough"


async def test_money_captured_and_refunded_before_either_was_known_is_refunded(
    scenario: Scenario, bank: Bank, deliver: Deliver
) -> None:
    payment = await scenario.pay()
    await bank.call("POST", f"/v1/payment_intents/{payment.stripe_id}/capture")
    await bank.refund(payment.stripe_id)
    await scenario.complete(payment)
    await deliver(payment)
    assert await money(scenario) == (PaymentStatus.REFUNDED, AMOUNT, False)
    assert await scenario.published() == ["payment.authorized", "payment.refunded"]


async def test_a_refund_that_arrives_before_the_captures_response_is_not_lost(
    scenario: Scenario, bank: Bank, deliver: Deliver, proxy: StripeProxy
) -> None:
    payment = await scenario.pay()
    proxy.fail("lost", "/capture$", times=3)  # captured, and this replica dies before the response
    with pytest.raises(StripeUnknownError):
        await scenario.complete(payment)
    await bank.refund(payment.stripe_id, 50)
    await deliver(payment)
    assert await money(scenario) == (PaymentStatus.CAPTURED, 50, False)


async def test_a_partial_capture_counts_the_rest_as_refunded(scenario: Scenario, bank: Bank, deliver: Deliver) -> None:
    payment = await scenario.pay()
    await bank.call("POST", f"/v1/payment_intents/{payment.stripe_id}/capture", amount_to_capture=2_000)
    await scenario.complete(payment)
    await deliver(payment)
    assert await money(scenario) == (PaymentStatus.CAPTURED, 550, False)


async def test_cancelling_an_order_after_a_partial_refund_refunds_the_rest(
    scenario: Scenario, sold: Payment, bank: Bank, deliver: Deliver
) -> None:
    await bank.refund(sold.stripe_id, 1_000)
    await deliver(sold)
    await scenario.cancel()
    assert await money(scenario) == (PaymentStatus.REFUNDED, AMOUNT, False)
    refunds = await bank.call("GET", f"/v1/refunds?payment_intent={sold.stripe_id}")
    assert sorted(refund["amount"] for refund in refunds["data"]) == [1_000, 1_550]


async def test_a_dispute_delays_the_refund_of_a_cancelled_order_until_it_is_won(
    scenario: Scenario, sold: Payment, bank: Bank, deliver: Deliver, proxy: StripeProxy
) -> None:
    dispute = await bank.dispute(sold.stripe_id)
    await scenario.cancel()
    assert await money(scenario) == (PaymentStatus.CAPTURED, 0, True)
    assert not proxy.made("POST /v1/refunds"), "Stripe would store its refusal for the key"
    await bank.decide(dispute["id"], "won")
    await deliver(sold)
    assert await money(scenario) == (PaymentStatus.REFUNDED, AMOUNT, False)


async def test_a_refusal_that_stripe_stores_for_the_key_does_not_prevent_the_refund(
    scenario: Scenario, sold: Payment, bank: Bank, proxy: StripeProxy
) -> None:
    proxy.fail("refused", "POST /v1/refunds", error={"code": "charge_disputed"})
    await scenario.cancel()
    assert await money(scenario) == (PaymentStatus.REFUNDED, AMOUNT, False)
    keys = [call.key for call in proxy.made("POST /v1/refunds")]
    assert len(set(keys)) == 2
    refunds = await bank.call("GET", f"/v1/refunds?payment_intent={sold.stripe_id}")
    assert len(refunds["data"]) == 1
