"""Stripe is slow, unavailable and back: number of calls, refusals, and no damage to any payment."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any, TypeAlias

import pytest

from ticketing_common.entity import utc_now
from ticketing_common.events import PaymentStatus
from ticketing_payments.errors import StripeAwayError, StripeUnknownError
from ticketing_payments.service import PaymentService
from ticketing_payments.stripe_gateway import StripeGateway
from ticketing_testkit.bank import Bank
from ticketing_testkit.stripe_proxy import StripeProxy

from ..scenario import MakeScenario, MakeSettings, Scenario, Stores, make_order

WithLimits: TypeAlias = Callable[..., AbstractAsyncContextManager[list[Scenario]]]

CREATE, CONFIRM = "POST /v1/payment_intents$", "/confirm$"


@pytest.fixture
def circuits_wait(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Advances the circuits' clock by the time that a circuit stays open; the clock stands still otherwise."""
    now = 1_000.0
    monkeypatch.setattr("circuitbreaker.monotonic", lambda: now)

    def wait(seconds: float) -> None:
        nonlocal now
        now += seconds

    return wait


@pytest.fixture
def with_limits(
    make_settings: MakeSettings, stores: Stores, proxy: StripeProxy, make_scenario: MakeScenario
) -> WithLimits:
    """The service with given limits, and scenarios of orders that are in its projection."""

    @asynccontextmanager
    async def start(*, scenarios: int = 1, **limits: Any) -> AsyncIterator[list[Scenario]]:
        settings = make_settings(stripe_api_base=proxy.url, **limits)
        async with StripeGateway.connect(settings) as gateway:
            service = PaymentService(stores.payments, stores.orders, stores.inbox, gateway, settings)
            started = [make_scenario(make_order(), service) for _ in range(scenarios)]
            for scenario in started:
                await service.follow_order(scenario.order)
            yield started

    return start


@pytest.mark.parametrize("call", [CREATE, CONFIRM])
async def test_one_layer_retries_a_call_and_all_attempts_have_one_key(
    scenario: Scenario, proxy: StripeProxy, bank: Bank, call: str
) -> None:
    proxy.fail("away", call, times=2)
    assert (await scenario.pay()).status is PaymentStatus.AUTHORIZED
    assert len(proxy.made(call)) == 3
    assert len({made.key for made in proxy.made(call)}) == 1
    assert len(await bank.intents_of(scenario.order.id)) == 1


async def test_retries_of_a_call_are_limited(scenario: Scenario, proxy: StripeProxy) -> None:
    proxy.fail("away", CREATE, times=99)
    with pytest.raises(StripeUnknownError):
        await scenario.pay()
    assert len(proxy.made(CREATE)) == 3


async def test_an_outage_of_stripe_opens_the_circuit_and_afterwards_each_order_is_paid_once(
    with_limits: WithLimits, proxy: StripeProxy, bank: Bank, circuits_wait: Callable[[float], None]
) -> None:
    async with with_limits(scenarios=3, stripe_circuit_failures=3, stripe_circuit_seconds=30) as scenarios:
        proxy.fail("away", CREATE, times=999)
        with pytest.raises(StripeUnknownError):
            await scenarios[0].pay()
        asked = len(proxy.calls)
        for scenario in scenarios:
            with pytest.raises(StripeAwayError) as refused:
                await scenario.pay()
            assert refused.value.retry_after_seconds >= 1
        assert len(proxy.calls) == asked, "the circuit is open: no call is made"
        assert [await scenario.statuses() for scenario in scenarios] == [[PaymentStatus.INITIATED]] * 3

        proxy.heal()
        circuits_wait(30)
        await settled(scenarios, PaymentStatus.AUTHORIZED)
        assert [len(await bank.intents_of(scenario.order.id)) for scenario in scenarios] == [1, 1, 1]


async def test_an_open_circuit_leaves_an_unknown_payment_unknown(
    with_limits: WithLimits, proxy: StripeProxy, bank: Bank, circuits_wait: Callable[[float], None]
) -> None:
    async with with_limits(stripe_circuit_failures=3, stripe_circuit_seconds=30) as (scenario,):
        proxy.fail("lost", CONFIRM, times=3)  # the bank authorises, and the response is lost
        with pytest.raises(StripeUnknownError):
            await scenario.pay()
        with pytest.raises(StripeAwayError):
            await scenario.pay("pm_card_chargeCustomerFail")  # another card does not end it either
        await scenario.due()
        assert await scenario.statuses() == [PaymentStatus.INITIATED]
        assert await scenario.published() == []

        proxy.heal()
        circuits_wait(30)
        await settled([scenario], PaymentStatus.AUTHORIZED)
        assert [one["status"] for one in await bank.intents_of(scenario.order.id)] == ["requires_capture"]


async def test_a_rejected_call_does_not_lengthen_the_interval_of_checks(
    with_limits: WithLimits, proxy: StripeProxy, circuits_wait: Callable[[float], None]
) -> None:
    """The interval grows with a payment's age, so an old one would be checked a minute after Stripe is back."""
    async with with_limits(stripe_circuit_failures=3, stripe_circuit_seconds=30) as (scenario,):
        proxy.fail("away", CREATE, times=3)
        with pytest.raises(StripeUnknownError):
            await scenario.pay()
        (payment,) = await scenario.payments()
        long_ago = {"$set": {"created_at": utc_now() - timedelta(minutes=5)}}
        await scenario.stores.payments.collection.update_one({"_id": payment.id}, long_ago)
        await scenario.due()  # the circuit is open
        (payment,) = await scenario.payments()
        assert payment.check_at is not None
        assert payment.check_at - utc_now() <= timedelta(seconds=30)


async def at_stripe(bank: Bank, scenario: Scenario) -> list[str]:
    return [intent["status"] for intent in await bank.intents_of(scenario.order.id)]


async def test_an_order_that_ends_while_the_circuit_is_open_is_voided_later(
    with_limits: WithLimits, proxy: StripeProxy, bank: Bank, circuits_wait: Callable[[float], None]
) -> None:
    async with with_limits(stripe_circuit_failures=3, stripe_circuit_seconds=30) as (scenario,):
        proxy.fail("lost", CONFIRM, times=3)
        with pytest.raises(StripeUnknownError):
            await scenario.pay()
        await scenario.cancel()
        assert await scenario.statuses() == [PaymentStatus.VOIDED], "decided here, and cancelled at Stripe later"
        assert await at_stripe(bank, scenario) == ["requires_capture"]
        proxy.heal()
        circuits_wait(30)
        async with asyncio.timeout(30):
            while await at_stripe(bank, scenario) != ["canceled"]:
                await scenario.due()
        assert await scenario.published() == ["payment.voided"]


async def test_requests_that_hang_at_stripe_leave_the_reconciler_its_slots(
    with_limits: WithLimits, proxy: StripeProxy
) -> None:
    async with with_limits(scenarios=4, stripe_places=2) as (first, second, third, unsettled):
        proxy.fail("lost", CONFIRM, times=3)
        with pytest.raises(StripeUnknownError):
            await unsettled.pay()
        held = [proxy.fail("held", CREATE) for _ in range(2)]
        hanging = [asyncio.create_task(scenario.pay()) for scenario in (first, second)]
        for fault in held:
            await asyncio.wait_for(fault.reached.wait(), 30)

        with pytest.raises(StripeAwayError):
            await third.pay()
        assert await third.statuses() == [PaymentStatus.INITIATED]
        await unsettled.due()
        assert await unsettled.statuses() == [PaymentStatus.AUTHORIZED], "background calls have their own slots"

        for fault in held:
            fault.release()
        assert [payment.status for payment in await asyncio.gather(*hanging)] == [PaymentStatus.AUTHORIZED] * 2
        await settled([third], PaymentStatus.AUTHORIZED)


async def test_without_a_small_bulkhead_the_third_call_is_made(with_limits: WithLimits, proxy: StripeProxy) -> None:
    async with with_limits(scenarios=3) as (first, second, third):
        held = [proxy.fail("held", CREATE) for _ in range(2)]
        hanging = [asyncio.create_task(scenario.pay()) for scenario in (first, second)]
        for fault in held:
            await asyncio.wait_for(fault.reached.wait(), 30)
        assert (await third.pay()).status is PaymentStatus.AUTHORIZED
        for fault in held:
            fault.release()
        await asyncio.gather(*hanging)


async def settled(scenarios: list[Scenario], status: PaymentStatus) -> None:
    """Run the reconciler until all of them have this status."""
    async with asyncio.timeout(30):
        while [await scenario.statuses() for scenario in scenarios] != [[status]] * len(scenarios):
            for scenario in scenarios:
                await scenario.due()
            await asyncio.sleep(0.05)
