from ticketing_common.events import PaymentStatus
from ticketing_payments.domain import Payment
from ticketing_testkit.bank import Bank

from ..scenario import Scenario

GOOD, BAD = "pm_card_visa", "pm_card_chargeCustomerFail"


async def status_at_stripe(bank: Bank, payment: Payment) -> str:
    return str((await bank.intent(payment.stripe_id))["status"])


async def test_3d_secure_waits_for_the_buyer_and_continues(scenario: Scenario, bank: Bank) -> None:
    payment = await scenario.pay(await bank.card())
    assert payment.status is PaymentStatus.REQUIRES_ACTION
    assert payment.client_secret
    assert await scenario.published() == []
    await bank.authenticate(payment.stripe_id, success=True)
    refreshed = await scenario.service.refresh(payment.id, user_id=scenario.order.user_id)
    assert refreshed.status is PaymentStatus.AUTHORIZED
    assert await scenario.published() == ["payment.authorized"]


async def test_3d_secure_that_fails_is_a_declined_card(scenario: Scenario, bank: Bank) -> None:
    payment = await scenario.pay(await bank.card())
    await bank.authenticate(payment.stripe_id, success=False)
    refreshed = await scenario.service.refresh(payment.id, user_id=scenario.order.user_id)
    assert refreshed.status is PaymentStatus.FAILED
    assert await status_at_stripe(bank, payment) == "canceled", "the client secret is of no use any more"
    assert (await scenario.pay(GOOD)).status is PaymentStatus.AUTHORIZED


async def test_an_unreported_failure_of_3d_secure_does_not_stop_the_next_card(scenario: Scenario, bank: Bank) -> None:
    payment = await scenario.pay(await bank.card())
    await bank.authenticate(payment.stripe_id, success=False)
    assert (await scenario.pay(GOOD)).attempt == 2


async def test_without_a_card_the_browser_gets_the_secret(scenario: Scenario) -> None:
    payment = await scenario.pay(None)
    assert payment.status is PaymentStatus.REQUIRES_ACTION
    assert payment.client_secret
    assert (await scenario.pay(None)).id == payment.id
