import asyncio

from ticketing_common.events import PaymentStatus
from ticketing_payments.errors import (
    StripeUnknownError,
)
from ticketing_payments.service import PaymentService
from ticketing_payments.stripe_gateway import StripeGateway

GOOD, BAD = "pm_card_visa", "pm_card_chargeCustomerFail"


async def status_at_stripe(bank, payment) -> str:
    return (await bank.intent(payment.stripe_id))["status"]


async def test_a_double_click_makes_one_payment(story, bank):
    assert len(await story.pay_at_once(GOOD, GOOD, GOOD)) == 1
    assert await story.statuses() == [PaymentStatus.AUTHORIZED]
    assert len(await bank.intents_of(story.order.id)) == 1


async def test_a_double_click_on_the_bare_double_makes_one_payment_too(
    stores, make_story, make_order, make_settings, bank, stripe_url
):
    settings = make_settings(stripe_api_base=stripe_url, stripe_parameter_profile="localstripe")
    async with StripeGateway.connect(settings) as gateway:
        service = PaymentService(stores.payments, stores.orders, stores.inbox, gateway, settings)
        story = make_story(make_order(), service)
        await service.follow_order(story.order)
        assert len(await story.pay_at_once(GOOD, GOOD)) == 1
    assert len(await bank.intents_of(story.order.id)) == 1


async def test_two_replicas_that_pay_the_same_order_make_one_payment(story, stores, make_settings, proxy, bank):
    settings = make_settings(stripe_api_base=proxy.url)
    async with StripeGateway.connect(settings) as gateway:
        other = PaymentService(stores.payments, stores.orders, stores.inbox, gateway, settings)
        answers = await asyncio.gather(story.pay(), story.pay(by=other), return_exceptions=True)
    # A replica may find Stripe busy with the other's call; then it answers "try again", which is safe.
    assert all(isinstance(one, StripeUnknownError) or one.status is PaymentStatus.AUTHORIZED for one in answers)
    assert await story.statuses() == [PaymentStatus.AUTHORIZED]
    assert len(await bank.intents_of(story.order.id)) == 1
    assert await story.told() == ["payment.authorized"]


async def test_in_two_tabs_with_two_cards_one_of_them_is_charged(story, bank):
    assert len(await story.pay_at_once(await bank.card("4242424242424242"), GOOD)) == 1
    intents = await bank.intents_of(story.order.id)
    assert [intent["status"] for intent in intents] == ["requires_capture"]


async def test_another_card_replaces_one_that_waits_for_the_buyer(story, bank):
    waiting = await story.pay(await bank.card())
    assert waiting.status is PaymentStatus.REQUIRES_ACTION
    paid = await story.pay(GOOD)
    assert paid.status is PaymentStatus.AUTHORIZED
    assert await story.statuses() == [PaymentStatus.VOIDED, PaymentStatus.AUTHORIZED]
    assert await status_at_stripe(bank, waiting) == "canceled"


async def test_the_same_card_goes_on_where_it_was(story, bank):
    card = await bank.card()
    first, second = await story.pay(card), await story.pay(card)
    assert (first.id, first.client_secret) == (second.id, second.client_secret)
