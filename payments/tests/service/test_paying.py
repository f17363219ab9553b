import asyncio

import pytest

from ticketing_common.entity import new_id
from ticketing_common.errors import NotFoundError
from ticketing_common.events import OrderReason, OrderStatus, PaymentStatus
from ticketing_payments.domain import Payment
from ticketing_payments.errors import (
    CardDeclinedError,
    OrderForbiddenError,
    OrderNotFoundError,
    OrderPaidError,
    PaymentForbiddenError,
    PaymentMethodRefusedError,
    PaymentNotPossibleError,
)
from ticketing_payments.service import PaymentService
from ticketing_testkit.bank import Bank
from ticketing_testkit.stripe_proxy import StripeProxy

from ..scenario import MakeScenario, Scenario, Stores, make_order

GOOD, BAD = "pm_card_visa", "pm_card_chargeCustomerFail"


async def status_at_stripe(bank: Bank, payment: Payment) -> str:
    return str((await bank.intent(payment.stripe_id))["status"])


async def test_a_paid_order_is_captured_when_it_is_complete(scenario: Scenario, bank: Bank) -> None:
    payment = await scenario.pay()
    assert payment.status is PaymentStatus.AUTHORIZED
    assert await status_at_stripe(bank, payment) == "requires_capture"
    await scenario.complete(payment)
    await scenario.change()  # the same state again
    assert await scenario.statuses() == [PaymentStatus.CAPTURED]
    assert await status_at_stripe(bank, payment) == "succeeded"
    assert await scenario.published() == ["payment.authorized", "payment.captured"]
    assert [one.check_at for one in await scenario.payments()] == [None]


async def test_the_price_is_the_orders_and_exact_to_the_cent(
    service: PaymentService, make_scenario: MakeScenario, bank: Bank
) -> None:
    scenario = make_scenario(make_order(price_cents=1_999))
    await service.follow_order(scenario.order)
    payment = await scenario.pay()
    assert (await bank.intent(payment.stripe_id))["amount"] == 1_999


async def test_a_declined_card_may_be_followed_by_another(scenario: Scenario, proxy: StripeProxy, bank: Bank) -> None:
    with pytest.raises(CardDeclinedError, match=r"Your card was declined\."):
        await scenario.pay(BAD)
    payment = await scenario.pay(GOOD)
    assert await scenario.statuses() == [PaymentStatus.FAILED, PaymentStatus.AUTHORIZED]
    assert await scenario.published() == ["payment.failed", "payment.authorized"]
    first, second = await scenario.payments()
    assert first.idempotency_key != second.idempotency_key
    assert await status_at_stripe(bank, first) == "canceled", "the declined attempt cannot be continued"
    assert payment.id == second.id


async def test_an_unknown_payment_method_fails_the_attempt_and_nothing_else(scenario: Scenario) -> None:
    with pytest.raises(PaymentMethodRefusedError):
        await scenario.pay("pm_nobody_knows")
    assert (await scenario.pay()).attempt == 2
    assert await scenario.published() == ["payment.failed", "payment.authorized"]


async def test_paying_twice_is_refused(scenario: Scenario, bank: Bank) -> None:
    payment = await scenario.pay()
    with pytest.raises(OrderPaidError):
        await scenario.pay()
    await scenario.complete(payment)
    with pytest.raises(PaymentNotPossibleError):
        await scenario.pay()
    assert len(await bank.intents_of(scenario.order.id)) == 1


async def test_what_cannot_be_paid_is_refused_and_stripe_is_not_asked(
    service: PaymentService, stores: Stores, proxy: StripeProxy
) -> None:
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


async def test_a_payment_waits_for_its_order_to_reach_the_projection(
    service: PaymentService, make_scenario: MakeScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_overtake_wait_seconds", 30.0)
    scenario = make_scenario(make_order())
    paying = asyncio.create_task(scenario.pay())
    await asyncio.sleep(0)
    await service.follow_order(scenario.order)
    assert (await paying).status is PaymentStatus.AUTHORIZED


async def test_a_payment_is_shown_to_its_buyer_only(scenario: Scenario) -> None:
    payment = await scenario.pay()
    assert (await scenario.service.get(payment.id, user_id=scenario.order.user_id)).id == payment.id
    for call in (scenario.service.get, scenario.service.refresh):
        with pytest.raises(PaymentForbiddenError):
            await call(payment.id, user_id=new_id())
        with pytest.raises(NotFoundError):
            await call(new_id(), user_id=scenario.order.user_id)
