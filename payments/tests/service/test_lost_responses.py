import pytest

from ticketing_common.events import PaymentStatus
from ticketing_payments.errors import (
    StripeUnknownError,
)
from ticketing_payments.service import PaymentService
from ticketing_testkit.bank import Bank
from ticketing_testkit.stripe_proxy import FaultKind, StripeProxy

from ..scenario import MakeScenario, Scenario, make_order

GOOD, BAD = "pm_card_visa", "pm_card_chargeCustomerFail"


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        ("POST /v1/payment_intents$", "lost"),
        ("POST /v1/payment_intents$", "away"),
        ("/confirm$", "lost"),
        ("/confirm$", "away"),
        ("/confirm$", "crashed"),
    ],
)
async def test_an_unknown_outcome_is_resolved_and_charged_once(
    scenario: Scenario, proxy: StripeProxy, bank: Bank, fault: FaultKind, call: str
) -> None:
    proxy.fail(fault, call, times=9)
    with pytest.raises(StripeUnknownError):
        await scenario.pay()
    assert await scenario.statuses() == [PaymentStatus.INITIATED]
    assert await scenario.published() == []
    proxy.heal()
    await scenario.due()
    assert await scenario.statuses() == [PaymentStatus.AUTHORIZED]
    assert await scenario.published() == ["payment.authorized"]
    assert len(await bank.intents_of(scenario.order.id)) == 1


async def test_a_key_with_a_stored_5xx_is_replaced_by_a_new_one(
    scenario: Scenario, proxy: StripeProxy, bank: Bank
) -> None:
    proxy.fail("crashed", "POST /v1/payment_intents$")
    with pytest.raises(StripeUnknownError):
        await scenario.pay()
    assert (await scenario.pay()).attempt == 2
    assert await scenario.statuses() == [PaymentStatus.VOIDED, PaymentStatus.AUTHORIZED]
    statuses = {intent["status"] for intent in await bank.intents_of(scenario.order.id)}
    assert statuses == {"requires_confirmation", "requires_capture"}, "the first never reached the bank"


async def test_paying_again_after_a_lost_response_returns_that_response(
    scenario: Scenario, proxy: StripeProxy, bank: Bank
) -> None:
    proxy.fail("lost", "/confirm$", times=3)
    with pytest.raises(StripeUnknownError):
        await scenario.pay()
    payment = await scenario.pay()
    assert (payment.status, payment.attempt) == (PaymentStatus.AUTHORIZED, 1)
    assert len(await bank.intents_of(scenario.order.id)) == 1


async def test_another_card_after_a_lost_response_does_not_charge_both_cards(
    scenario: Scenario, proxy: StripeProxy, bank: Bank
) -> None:
    proxy.fail("lost", "/confirm$", times=3)
    with pytest.raises(StripeUnknownError):
        await scenario.pay(GOOD)
    payment = await scenario.pay(await bank.card("4242424242424242"))
    assert payment.attempt == 1
    assert [one["status"] for one in await bank.intents_of(scenario.order.id)] == ["requires_capture"]


async def test_another_card_is_tried_after_a_decline_whose_response_was_lost(
    scenario: Scenario, proxy: StripeProxy
) -> None:
    proxy.fail("lost", "/confirm$", times=3)
    with pytest.raises(StripeUnknownError):
        await scenario.pay(BAD)
    assert (await scenario.pay(GOOD)).attempt == 2
    assert await scenario.statuses() == [PaymentStatus.FAILED, PaymentStatus.AUTHORIZED]


async def test_resolving_an_unknown_outcome_does_not_charge_an_expired_hold(
    scenario: Scenario, proxy: StripeProxy, bank: Bank
) -> None:
    proxy.fail("away", "/confirm$", times=9)
    with pytest.raises(StripeUnknownError):
        await scenario.pay()
    proxy.heal()
    confirmations = len(proxy.made("/confirm$"))
    await scenario.run_out()
    await scenario.due()
    assert await scenario.statuses() == [PaymentStatus.VOIDED]
    assert len(proxy.made("/confirm$")) == confirmations
    assert [one["status"] for one in await bank.intents_of(scenario.order.id)] == ["canceled"]


async def test_a_hold_that_expires_before_a_call_to_stripe_ends_without_one(
    service: PaymentService, make_scenario: MakeScenario, proxy: StripeProxy
) -> None:
    scenario = make_scenario(make_order())
    await service.follow_order(scenario.order)
    proxy.fail("away", "POST /v1/payment_intents$", times=9)
    with pytest.raises(StripeUnknownError):
        await scenario.pay()
    calls = len(proxy.calls)
    await scenario.cancel()
    assert await scenario.statuses() == [PaymentStatus.VOIDED]
    assert len(proxy.calls) == calls
