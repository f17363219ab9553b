import asyncio
from collections.abc import AsyncIterator

import pytest

from ticketing_common.events import OrderData, OrderReason, OrderStatus, PaymentStatus
from ticketing_payments.domain import Intent, Payment
from ticketing_payments.errors import PaymentNotPossibleError, StripeUnknownError
from ticketing_payments.service import PaymentService
from ticketing_payments.stripe_gateway import StripeGateway
from ticketing_testkit.bank import Bank
from ticketing_testkit.stripe_proxy import FaultKind, StripeProxy

from ..scenario import MakeScenario, MakeSettings, Scenario, Stores, make_order

GOOD, BAD = "pm_card_visa", "pm_card_chargeCustomerFail"


async def status_at_stripe(bank: Bank, payment: Payment) -> str:
    return str((await bank.intent(payment.stripe_id))["status"])


async def test_a_double_click_makes_one_payment(scenario: Scenario, bank: Bank) -> None:
    assert len(await scenario.pay_at_once(GOOD, GOOD, GOOD)) == 1
    assert await scenario.statuses() == [PaymentStatus.AUTHORIZED]
    assert len(await bank.intents_of(scenario.order.id)) == 1


async def test_a_double_click_on_the_bare_double_makes_one_payment_too(
    stores: Stores, make_scenario: MakeScenario, make_settings: MakeSettings, bank: Bank, stripe_url: str
) -> None:
    settings = make_settings(stripe_api_base=stripe_url, stripe_parameter_profile="localstripe")
    async with StripeGateway.connect(settings) as gateway:
        service = PaymentService(stores.payments, stores.orders, stores.inbox, gateway, settings)
        scenario = make_scenario(make_order(), service)
        await service.follow_order(scenario.order)
        assert len(await scenario.pay_at_once(GOOD, GOOD)) == 1
    assert len(await bank.intents_of(scenario.order.id)) == 1


async def test_two_replicas_that_pay_the_same_order_make_one_payment(
    scenario: Scenario, stores: Stores, make_settings: MakeSettings, proxy: StripeProxy, bank: Bank
) -> None:
    settings = make_settings(stripe_api_base=proxy.url)
    async with StripeGateway.connect(settings) as gateway:
        other = PaymentService(stores.payments, stores.orders, stores.inbox, gateway, settings)
        answers = await asyncio.gather(scenario.pay(), scenario.pay(by=other), return_exceptions=True)
    # Stripe may be busy with the other replica's call; then the response asks for a retry, which is safe.
    paid = [one for one in answers if not isinstance(one, StripeUnknownError)]
    assert all(isinstance(one, Payment) and one.status is PaymentStatus.AUTHORIZED for one in paid)
    assert await scenario.statuses() == [PaymentStatus.AUTHORIZED]
    assert len(await bank.intents_of(scenario.order.id)) == 1
    assert await scenario.published() == ["payment.authorized"]


async def test_an_authorisation_that_another_replica_is_voiding_is_voided_and_not_failed(
    scenario: Scenario, stores: Stores, make_settings: MakeSettings, proxy: StripeProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = await scenario.pay()
    async with StripeGateway.connect(make_settings(stripe_api_base=proxy.url)) as gateway:
        retrieve = StripeGateway.retrieve

        async def retrieve_too_late(asked: StripeGateway, intent_id: str) -> Intent:
            """The other replica has stored the end of the order and cancelled at Stripe, and has not stored that."""
            ended = {"version": 2, "status": OrderStatus.CANCELLED, "reason": OrderReason.EVENT_CANCELLED}
            await stores.orders.apply(scenario.order.model_copy(update=ended))
            await gateway.cancel(intent_id)
            return await retrieve(asked, intent_id)

        monkeypatch.setattr(StripeGateway, "retrieve", retrieve_too_late)
        await scenario.service.refresh(payment.id, user_id=scenario.order.user_id)

    assert await scenario.statuses() == [PaymentStatus.VOIDED]
    assert await scenario.published() == ["payment.authorized", "payment.voided"]


async def test_in_two_tabs_with_two_cards_one_of_them_is_charged(scenario: Scenario, bank: Bank) -> None:
    assert len(await scenario.pay_at_once(await bank.card("4242424242424242"), GOOD)) == 1
    intents = await bank.intents_of(scenario.order.id)
    assert [intent["status"] for intent in intents] == ["requires_capture"]


async def test_another_card_replaces_one_that_waits_for_the_buyer(scenario: Scenario, bank: Bank) -> None:
    waiting = await scenario.pay(await bank.card())
    assert waiting.status is PaymentStatus.REQUIRES_ACTION
    paid = await scenario.pay(GOOD)
    assert paid.status is PaymentStatus.AUTHORIZED
    assert await scenario.statuses() == [PaymentStatus.VOIDED, PaymentStatus.AUTHORIZED]
    assert await status_at_stripe(bank, waiting) == "canceled"


async def test_the_same_card_continues_the_attempt(scenario: Scenario, bank: Bank) -> None:
    card = await bank.card()
    first, second = await scenario.pay(card), await scenario.pay(card)
    assert (first.id, first.client_secret) == (second.id, second.client_secret)


@pytest.fixture
async def replica(stores: Stores, make_settings: MakeSettings, proxy: StripeProxy) -> AsyncIterator[PaymentService]:
    """Another replica of the service, with the same database and the same Stripe."""
    settings = make_settings(stripe_api_base=proxy.url)
    async with StripeGateway.connect(settings) as gateway:
        yield PaymentService(stores.payments, stores.orders, stores.inbox, gateway, settings)


async def test_a_payment_that_one_replica_voids_is_not_published_as_paid_by_another(
    scenario: Scenario, replica: PaymentService, proxy: StripeProxy, bank: Bank
) -> None:
    """The hold expires during the authorisation, and a webhook triggers the other replica at that moment."""
    confirming, cancelling = proxy.fail("held", "/confirm$"), proxy.fail("held", "/cancel$")
    paying = asyncio.create_task(scenario.pay())
    await confirming.reached.wait()
    await scenario.run_out()
    (payment,) = await scenario.payments()
    letting_go = asyncio.create_task(replica.refresh(payment.id, user_id=payment.user_id))
    await cancelling.reached.wait()
    confirming.release()
    with pytest.raises(PaymentNotPossibleError):
        await paying
    cancelling.release()
    await letting_go
    assert await scenario.published() == ["payment.voided"]
    assert [one["status"] for one in await bank.intents_of(scenario.order.id)] == ["canceled"]


async def test_an_authorisation_of_a_replaced_card_is_not_published(
    scenario: Scenario, replica: PaymentService, proxy: StripeProxy, bank: Bank
) -> None:
    waiting = await scenario.pay(await bank.card())
    cancelling = proxy.fail("held", "/cancel$")
    replacing = asyncio.create_task(scenario.pay(GOOD))
    await cancelling.reached.wait()
    await bank.authenticate(waiting.stripe_id, success=True)
    await replica.refresh(waiting.id, user_id=waiting.user_id)
    cancelling.release()
    paid = await replacing
    assert (await scenario.statuses(), paid.status) == (
        [PaymentStatus.VOIDED, PaymentStatus.AUTHORIZED],
        PaymentStatus.AUTHORIZED,
    )
    assert await scenario.published() == ["payment.voided", "payment.authorized"]
    assert await status_at_stripe(bank, waiting) == "canceled"


async def test_a_replica_with_outdated_state_does_not_void_a_completed_payment(
    scenario: Scenario, replica: PaymentService, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the reads of the payment and of the order, the other replica authorises, and orders completes."""
    payment = await scenario.pay(await bank.card())
    find = scenario.stores.orders.find

    async def find_late(order_id: str) -> OrderData | None:
        monkeypatch.setattr(scenario.stores.orders, "find", find)
        await bank.authenticate(payment.stripe_id, success=True)
        await replica.refresh(payment.id, user_id=payment.user_id)
        complete = {"version": scenario.order.version + 1, "status": OrderStatus.COMPLETE, "payment_id": payment.id}
        await scenario.stores.orders.apply(scenario.order.model_copy(update=complete))
        return await find(order_id)

    monkeypatch.setattr(scenario.stores.orders, "find", find_late)
    ended = await scenario.service.refresh(payment.id, user_id=payment.user_id)
    assert ended.status is PaymentStatus.CAPTURED
    assert await scenario.published() == ["payment.authorized", "payment.captured"]


@pytest.mark.parametrize("fault", ["lost", "away"])
async def test_a_void_that_does_not_reach_stripe_is_repeated_later(
    scenario: Scenario, proxy: StripeProxy, bank: Bank, fault: FaultKind
) -> None:
    payment = await scenario.pay(await bank.card())
    proxy.fail(fault, "/cancel$", times=3)
    await scenario.cancel(OrderReason.BUYER)
    assert await scenario.statuses() == [PaymentStatus.VOIDED]
    if fault == "away":
        await bank.authenticate(payment.stripe_id, success=True)  # the buyer continues in an open tab
    await scenario.due()
    assert await status_at_stripe(bank, payment) == "canceled"
    assert [one.check_at for one in await scenario.payments()] == [None]
    assert await scenario.published() == ["payment.voided"]
