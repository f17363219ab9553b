"""A payment loses its buyer once its order has, and not before its money is settled."""

import asyncio

import pytest

from ticketing_common.events import OrderReason, OrderStatus, PaymentStatus
from ticketing_payments.domain import Payment
from ticketing_payments.errors import CardDeclinedError
from ticketing_payments.retention import PaymentRetention
from ticketing_testkit.bank import Bank
from ticketing_testkit.stripe_proxy import StripeProxy

from ..scenario import Scenario, Stores
from .refunding import Deliver, money


@pytest.fixture
def retention(stores: Stores) -> PaymentRetention:
    return PaymentRetention(stores.payments, stores.orders)


async def forget_order(scenario: Scenario) -> None:
    """Orders publishes the record of the order without its buyer."""
    await scenario.change(user_id="")


async def buyers(scenario: Scenario) -> list[str]:
    return [payment.user_id for payment in await scenario.payments()]


async def test_a_settled_payment_follows_its_order(
    scenario: Scenario, stores: Stores, retention: PaymentRetention
) -> None:
    buyer = scenario.order.user_id
    with pytest.raises(CardDeclinedError):
        await scenario.pay("pm_card_chargeCustomerFail")
    await scenario.complete(await scenario.pay())
    await stores.payments.collection.update_many({}, {"$set": {"outbox": []}})
    assert await retention.forget_people() == 0
    assert await buyers(scenario) == [buyer, buyer]

    await forget_order(scenario)
    assert await retention.forget_people() == 2
    assert await retention.forget_people() == 0
    for payment in await scenario.payments():
        assert (payment.user_id, payment.payment_method_id) == ("", None)
        found = await stores.payments.collection.find_one({"_id": payment.id})
        assert buyer not in str(found)
    assert await scenario.statuses() == [PaymentStatus.FAILED, PaymentStatus.CAPTURED]
    assert await scenario.published() == ["payment.failed", "payment.captured"]


async def test_a_payment_that_waits_for_its_refund_keeps_its_buyer(
    scenario: Scenario, sold: Payment, proxy: StripeProxy, retention: PaymentRetention, stores: Stores
) -> None:
    """The sweep looks again until the money is back and the last check has passed."""
    refunding = {"status": OrderStatus.CANCELLED, "reason": OrderReason.REFUNDED, "user_id": "", "version": 3}
    await stores.orders.apply(scenario.order.model_copy(update=refunding))
    assert await retention.forget_people() == 0
    await scenario.service.advance(sold.id)
    assert (await money(scenario))[0] is PaymentStatus.REFUNDED
    assert await retention.forget_people() == 0, "Stripe is called once more a minute after the refund"
    await scenario.due()
    assert await retention.forget_people() == 1
    assert await buyers(scenario) == [""]


async def test_a_disputed_payment_keeps_its_buyer_and_a_late_dispute_is_still_followed(
    scenario: Scenario, sold: Payment, bank: Bank, deliver: Deliver, retention: PaymentRetention
) -> None:
    first = await bank.dispute(sold.stripe_id)
    await deliver(sold)
    await forget_order(scenario)
    assert await retention.forget_people() == 0
    await bank.decide(first["id"], "won")
    await deliver(sold)
    await scenario.due()
    assert await retention.forget_people() == 1

    late = await bank.dispute(sold.stripe_id)
    await deliver(sold)
    assert (await money(scenario))[2]
    await bank.decide(late["id"], "lost")
    await deliver(sold)
    assert (await money(scenario))[0] is PaymentStatus.REFUNDED
    assert await buyers(scenario) == [""]


async def test_two_replicas_and_a_crash_before_the_mark_are_harmless(
    scenario: Scenario, sold: Payment, retention: PaymentRetention, stores: Stores
) -> None:
    await forget_order(scenario)
    other = PaymentRetention(stores.payments, stores.orders)
    assert sum(await asyncio.gather(retention.forget_people(), other.forget_people())) == 1
    await stores.orders.collection.update_many({}, {"$unset": {"payments_forgotten": ""}})
    assert await retention.forget_people() == 0
    (payment,) = await scenario.payments()
    assert payment.version == sold.version + 1
    found = await stores.orders.collection.find_one({"_id": scenario.order.id})
    assert found is not None
    assert found["payments_forgotten"]


async def test_a_document_that_cannot_be_read_stops_no_other(
    scenario: Scenario, sold: Payment, retention: PaymentRetention, stores: Stores
) -> None:
    await stores.orders.collection.insert_one({"_id": "0" * 24, "user_id": "", "status": "?"})
    await stores.payments.collection.insert_one({"_id": "0" * 24, "order_id": scenario.order.id, "user_id": "x"})
    await forget_order(scenario)
    assert await retention.forget_people() == 1
    found = await stores.orders.collection.find_one({"_id": scenario.order.id})
    assert found is not None
    assert "payments_forgotten" not in found, "one of its payments still names the buyer"


async def test_an_index_finds_the_copies(stores: Stores, retention: PaymentRetention) -> None:
    query = {"user_id": "", "payments_forgotten": None}
    plan = (await stores.orders.collection.find(query).explain())["queryPlanner"]["winningPlan"]
    assert "'indexName': 'without_buyer'" in str(plan)
