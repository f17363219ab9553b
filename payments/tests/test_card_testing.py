"""The number of cards that an account may try is limited, per order and over orders, across replicas."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.requests import Request

from ticketing_common.entity import new_id
from ticketing_common.errors import TooManyRequestsError
from ticketing_common.events import PaymentStatus
from ticketing_payments.dependencies import PaymentLimits
from ticketing_payments.errors import CardDeclinedError, TooManyDeclinesError
from ticketing_payments.service import PaymentService
from ticketing_payments.settings import Settings
from ticketing_payments.stripe_gateway import StripeGateway
from ticketing_testkit.bank import Bank
from ticketing_testkit.stripe_proxy import StripeProxy

from .scenario import MakeScenario, MakeSettings, Scenario, Stores, make_order

BAD, GOOD = "pm_card_chargeCustomerFail", "pm_card_visa"


async def attempt(
    scenario: Scenario, method: str | None = BAD, *, by: PaymentService | None = None
) -> PaymentStatus | str:
    try:
        return (await scenario.pay(method, by=by)).status
    except (CardDeclinedError, TooManyDeclinesError) as refusal:
        return type(refusal).__name__


@pytest.fixture
async def replica(stores: Stores, proxy: StripeProxy, make_settings: MakeSettings) -> AsyncIterator[PaymentService]:
    """Another replica of the service."""
    settings = make_settings(stripe_api_base=proxy.url)
    async with StripeGateway.connect(settings) as gateway:
        yield PaymentService(stores.payments, stores.orders, stores.inbox, gateway, settings)


async def test_of_20_bad_cards_on_one_order_at_two_replicas_five_are_tried(
    scenario: Scenario, service: PaymentService, replica: PaymentService
) -> None:
    outcomes: Counter[PaymentStatus | str] = Counter()
    for _ in range(10):
        outcomes.update(await asyncio.gather(*(attempt(scenario, by=by) for by in (service, replica))))
    assert outcomes["TooManyDeclinesError"] > 0
    assert await scenario.statuses() == [PaymentStatus.FAILED] * 5

    with pytest.raises(TooManyDeclinesError) as refused:
        await scenario.pay(GOOD)
    assert 3_500 < refused.value.retry_after_seconds <= 3_600
    assert refused.value.security_fields == {"limit": "declines-order"}


async def test_bad_cards_on_many_orders_of_one_account_are_counted_together(
    make_scenario: MakeScenario, service: PaymentService
) -> None:
    buyer = new_id()
    outcomes: Counter[PaymentStatus | str] = Counter()
    for _ in range(4):
        scenario = make_scenario(make_order(user_id=buyer))
        await service.follow_order(scenario.order)
        for _ in range(4):
            outcomes[await attempt(scenario)] += 1
    assert outcomes == {"CardDeclinedError": 10, "TooManyDeclinesError": 6}

    other = make_scenario(make_order())
    await service.follow_order(other.order)
    assert await attempt(other, GOOD) is PaymentStatus.AUTHORIZED


async def test_concurrent_attempts_exceed_the_limit_by_at_most_one_for_each_order(
    make_scenario: MakeScenario, service: PaymentService
) -> None:
    buyer = new_id()
    scenarios = [make_scenario(make_order(user_id=buyer)) for _ in range(6)]
    for scenario in scenarios:
        await service.follow_order(scenario.order)

    async def try_many(scenario: Scenario) -> list[PaymentStatus | str]:
        return [await attempt(scenario) for _ in range(5)]

    outcomes = Counter(
        one for many in await asyncio.gather(*(try_many(scenario) for scenario in scenarios)) for one in many
    )
    assert 10 <= outcomes["CardDeclinedError"] <= 10 + len(scenarios)


async def test_cards_that_wait_for_3d_secure_and_are_replaced_count_as_well(scenario: Scenario, bank: Bank) -> None:
    cards = [await bank.card() for _ in range(8)]
    outcomes = Counter([await attempt(scenario, card) for card in cards])
    assert outcomes == {PaymentStatus.REQUIRES_ACTION: 5, "TooManyDeclinesError": 3}
    assert await scenario.statuses() == [PaymentStatus.VOIDED] * 5


async def test_a_buyer_with_two_bad_cards_pays_with_the_third(scenario: Scenario) -> None:
    assert [await attempt(scenario) for _ in range(2)] == ["CardDeclinedError"] * 2
    assert await attempt(scenario, GOOD) is PaymentStatus.AUTHORIZED


async def test_attempts_older_than_the_window_do_not_count(scenario: Scenario, stores: Stores) -> None:
    for _ in range(5):
        await attempt(scenario)
    assert await attempt(scenario, GOOD) == "TooManyDeclinesError"
    oldest = (await scenario.payments())[0]
    before = oldest.created_at - timedelta(hours=1)
    await stores.payments.collection.update_one({"_id": oldest.id}, {"$set": {"created_at": before}})
    assert await attempt(scenario, GOOD) is PaymentStatus.AUTHORIZED


async def test_the_limits_can_be_switched_off(
    stores: Stores, proxy: StripeProxy, make_settings: MakeSettings, make_scenario: MakeScenario
) -> None:
    settings = make_settings(stripe_api_base=proxy.url, rate_limit_payments="off")
    async with StripeGateway.connect(settings) as gateway:
        unlimited = PaymentService(stores.payments, stores.orders, stores.inbox, gateway, settings)
        scenario = make_scenario(make_order(), by=unlimited)
        await unlimited.follow_order(scenario.order)
        assert [await attempt(scenario) for _ in range(7)] == ["CardDeclinedError"] * 7


async def test_the_query_uses_its_index(stores: Stores, scenario: Scenario) -> None:
    await attempt(scenario)
    plan = await stores.payments.collection.database.command(
        {
            "explain": {
                "find": "payments",
                "filter": {
                    "user_id": scenario.order.user_id,
                    "created_at": {"$gt": scenario.order.created_at},
                    "status": {"$in": ["failed", "voided"]},
                },
                "sort": {"created_at": -1},
            }
        }
    )
    assert "vain_attempts_of_an_account" in str(plan["queryPlanner"]["winningPlan"])


@pytest.fixture
def make_settings_of_limits() -> MakeSettings:
    def make(**limits: Any) -> Settings:
        needed = {
            "mongo_url": "mongodb://nowhere",
            "nats_url": "nats://nowhere",
            "jwt_public_keys": [],
            "stripe_key": "sk_test_x",
            "stripe_webhook_secret": "whsec_x",
        }
        return Settings.model_validate(needed | limits)

    return make


@pytest.mark.unit
async def test_70_refreshes_of_one_payment_are_limited(make_settings_of_limits: MakeSettings) -> None:
    limits = PaymentLimits(make_settings_of_limits())
    user, payment = new_id(), new_id()

    async def refresh(about: str, address: str = "192.0.2.1") -> str | None:
        request = Request({"type": "http", "client": (address, 1)})
        try:
            await limits.check(request, user_id=user, about=about)
        except TooManyRequestsError as refused:
            return refused.security_fields["limit"]
        return "let through"

    assert Counter([await refresh(payment) for _ in range(70)]) == {
        "let through": 10,
        "payments-order": 50,
        "payments": 10,
    }


@pytest.mark.unit
async def test_off_for_the_account_turns_all_of_them_off(make_settings_of_limits: MakeSettings) -> None:
    limits = PaymentLimits(make_settings_of_limits(rate_limit_payments="off"))
    request = Request({"type": "http", "client": ("192.0.2.1", 1)})
    for _ in range(400):
        await limits.check(request, user_id="u", about="p")
