"""Stripe's refusals by cause: the response to the caller, the metric, and the payment's status."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY

from ticketing_common.events import PaymentStatus
from ticketing_payments.domain import OUR_FAULT, Decline
from ticketing_payments.errors import (
    PaymentMethodRefusedError,
    StripeRequestRefusedError,
    StripeUnknownError,
)
from ticketing_testkit.stripe_proxy import StripeProxy

from .scenario import Scenario

SECRET_TEXT = "a text of Stripe's that quotes sk_live_123"
OURS = [
    {"code": "amount_too_small", "param": "amount"},
    {"code": "parameter_unknown", "param": "use_stripe_sdk"},
    {"code": "currency_not_supported", "param": "currency"},
    {"param": "capture_method"},
    {"code": "resource_missing", "param": "customer"},
    {},
]
METHOD = [
    {"code": "resource_missing", "param": "payment_method"},
    {"code": "payment_method_unexpected_state"},
    {"code": "payment_method_not_available", "param": "amount"},
]


def counted(kind: str = "InvalidRequestError") -> float:
    return REGISTRY.get_sample_value("stripe_requests_refused_total", {"kind": kind}) or 0.0


@pytest.mark.parametrize("error", METHOD)
@pytest.mark.parametrize("step", ["POST /v1/payment_intents$", "/confirm$"])
async def test_a_refused_payment_method_is_the_callers_error(
    scenario: Scenario, proxy: StripeProxy, error: dict[str, Any], step: str
) -> None:
    proxy.fail("refused", step, error={**error, "message": SECRET_TEXT})
    with pytest.raises(PaymentMethodRefusedError) as caught:
        await scenario.pay()
    assert [error.field for error in caught.value.errors] == ["paymentMethodId"]
    assert SECRET_TEXT not in str(caught.value)
    assert await scenario.statuses() == [PaymentStatus.FAILED]
    assert (await scenario.pay()).status is PaymentStatus.AUTHORIZED, "another attempt may follow"


async def test_an_unknown_payment_method_names_its_field(scenario: Scenario) -> None:
    with pytest.raises(PaymentMethodRefusedError) as caught:
        await scenario.pay("pm_unknown")
    assert [error.field for error in caught.value.errors] == ["paymentMethodId"]


@pytest.mark.parametrize("error", OURS)
async def test_a_refusal_of_our_request_is_a_500_that_is_counted_and_reveals_nothing(
    scenario: Scenario, proxy: StripeProxy, error: dict[str, Any], printed_logs: Callable[[], str]
) -> None:
    before = counted()
    proxy.fail("refused", "POST /v1/payment_intents$", error={**error, "message": SECRET_TEXT})
    with pytest.raises(StripeRequestRefusedError) as caught:
        await scenario.pay()
    assert caught.value.status == 500
    assert SECRET_TEXT not in str(caught.value)
    assert counted() == before + 1
    assert await scenario.statuses() == [PaymentStatus.FAILED]
    (payment,) = await scenario.payments()
    assert SECRET_TEXT not in repr(payment)
    printed = printed_logs()
    assert "stripe refuses our request" in printed
    assert SECRET_TEXT not in printed


async def test_a_concurrent_refusal_is_not_reported_as_a_declined_card(scenario: Scenario, proxy: StripeProxy) -> None:
    held = proxy.fail("held", "POST /v1/payment_intents$")
    paying = asyncio.create_task(scenario.pay())
    await held.reached.wait()
    (payment,) = await scenario.payments()
    # As another replica whose request was just refused.
    await scenario.service._change(payment, lambda one: one.refuse(_our_fault()))
    held.release()
    with pytest.raises(StripeRequestRefusedError):
        await paying


def _our_fault() -> Decline:
    return Decline("refused", OUR_FAULT)


async def test_an_invalid_confirmation_request_leaves_the_attempt_open(scenario: Scenario, proxy: StripeProxy) -> None:
    proxy.fail("refused", "/confirm$", error={"code": "parameter_unknown", "param": "use_stripe_sdk"})
    with pytest.raises(StripeRequestRefusedError):
        await scenario.pay()
    assert await scenario.statuses() == [PaymentStatus.INITIATED]
    assert (await scenario.pay()).status is PaymentStatus.AUTHORIZED


async def test_an_invalid_capture_request_does_not_end_the_sale(scenario: Scenario, proxy: StripeProxy) -> None:
    payment = await scenario.pay()
    before = counted()
    proxy.fail("refused", "/capture$", error={"code": "parameter_unknown", "param": "amount"})
    with pytest.raises(StripeUnknownError):
        await scenario.complete(payment)
    assert await scenario.statuses() == [PaymentStatus.AUTHORIZED]
    assert counted() == before + 1
    await scenario.change()
    assert await scenario.statuses() == [PaymentStatus.CAPTURED]


@pytest.mark.parametrize("code", ["charge_expired_for_capture", "capture_charge_authorization_expired"])
async def test_an_authorisation_that_the_bank_ended_ends_the_sale(
    scenario: Scenario, proxy: StripeProxy, code: str
) -> None:
    payment = await scenario.pay()
    proxy.fail("refused", "/capture$", error={"code": code})
    await scenario.complete(payment)
    assert await scenario.statuses() == [PaymentStatus.FAILED]


async def test_a_wrong_key_of_ours_is_counted(scenario: Scenario, proxy: StripeProxy) -> None:
    before = counted("AuthenticationError")
    proxy.fail("refused", "POST /v1/payment_intents$", status=401)
    with pytest.raises(StripeUnknownError):
        await scenario.pay()
    assert counted("AuthenticationError") == before + 1
