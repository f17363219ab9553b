import asyncio

import pytest

from ticketing_common.entity import new_id
from ticketing_common.events import OrderReason, OrderStatus, PaymentStatus
from ticketing_payments.errors import (
    CardDeclinedError,
    OrderForbiddenError,
    OrderNotFoundError,
    OrderPaidError,
    PaymentForbiddenError,
    PaymentMethodRefusedError,
    PaymentNotFoundError,
    PaymentNotPossibleError,
)

GOOD, BAD = "pm_card_visa", "pm_card_chargeCustomerFail"


async def status_at_stripe(bank, payment) -> str:
    return (await bank.intent(payment.stripe_id))["status"]


async def test_a_paid_order_is_captured_when_orders_says_so(story, bank):
    payment = await story.pay()
    assert payment.status is PaymentStatus.AUTHORIZED
    assert await status_at_stripe(bank, payment) == "requires_capture"
    await story.complete(payment)
    await story.change()  # the same again
    assert await story.statuses() == [PaymentStatus.CAPTURED]
    assert await status_at_stripe(bank, payment) == "succeeded"
    assert await story.told() == ["payment.authorized", "payment.captured"]
    assert [one.check_at for one in await story.payments()] == [None]


async def test_the_price_is_the_orders_and_exact_to_the_cent(service, make_story, bank, make_order):
    story = make_story(make_order(price_cents=1_999))
    await service.follow_order(story.order)
    payment = await story.pay()
    assert (await bank.intent(payment.stripe_id))["amount"] == 1_999


async def test_a_declined_card_may_be_followed_by_another(story, proxy, bank):
    with pytest.raises(CardDeclinedError, match=r"Your card was declined\."):
        await story.pay(BAD)
    payment = await story.pay(GOOD)
    assert await story.statuses() == [PaymentStatus.FAILED, PaymentStatus.AUTHORIZED]
    assert await story.told() == ["payment.failed", "payment.authorized"]
    first, second = await story.payments()
    assert first.idempotency_key != second.idempotency_key
    assert await status_at_stripe(bank, first) == "canceled", "nobody can go on with the declined attempt"
    assert payment.id == second.id


async def test_an_unknown_payment_method_fails_the_attempt_and_nothing_else(story):
    with pytest.raises(PaymentMethodRefusedError):
        await story.pay("pm_nobody_knows")
    assert (await story.pay()).attempt == 2
    assert await story.told() == ["payment.failed", "payment.authorized"]


async def test_paying_twice_is_refused(story, bank):
    payment = await story.pay()
    with pytest.raises(OrderPaidError):
        await story.pay()
    await story.complete(payment)
    with pytest.raises(PaymentNotPossibleError):
        await story.pay()
    assert len(await bank.intents_of(story.order.id)) == 1


async def test_what_cannot_be_paid_is_refused_and_stripe_is_not_asked(service, stores, make_order, proxy):
    cases = [
        (make_order(), new_id(), OrderForbiddenError),
        (make_order(status=OrderStatus.COMPLETE), None, PaymentNotPossibleError),
        (make_order(status=OrderStatus.CANCELLED, reason=OrderReason.BUYER), None, PaymentNotPossibleError),
        (make_order(window_seconds=-1), None, PaymentNotPossibleError),
    ]
    for order, user_id, error in cases:
        await service.follow_order(order)
        with pytest.raises(error):
            await service.pay(order.id, user_id=user_id or order.user_id, payment_method_id=GOOD)
    for unknown in (new_id(), "not an id", ""):
        with pytest.raises(OrderNotFoundError):
            await service.pay(unknown, user_id=new_id(), payment_method_id=GOOD)
    assert proxy.calls == []
    assert await stores.payments.collection.count_documents({}) == 0


async def test_a_payment_that_overtakes_its_order_waits_for_it(service, make_story, make_order, monkeypatch):
    monkeypatch.setattr(service, "_overtake_wait_seconds", 30.0)
    story = make_story(make_order())
    paying = asyncio.create_task(story.pay())
    await asyncio.sleep(0)
    await service.follow_order(story.order)
    assert (await paying).status is PaymentStatus.AUTHORIZED


async def test_a_payment_is_shown_to_its_buyer_only(story):
    payment = await story.pay()
    assert (await story.service.get(payment.id, user_id=story.order.user_id)).id == payment.id
    for call in (story.service.get, story.service.refresh):
        with pytest.raises(PaymentForbiddenError):
            await call(payment.id, user_id=new_id())
        with pytest.raises(PaymentNotFoundError):
            await call(new_id(), user_id=story.order.user_id)
