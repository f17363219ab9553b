import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import PaymentStatus
from ticketing_payments.domain import Payment
from ticketing_payments.errors import (
    CardDeclinedError,
    StripeUnknownError,
)
from ticketing_payments.service import PaymentService
from ticketing_testkit.bank import Bank
from ticketing_testkit.stripe_proxy import StripeProxy

from ..scenario import Scenario, Sign, Stores

GOOD, BAD = "pm_card_visa", "pm_card_chargeCustomerFail"


async def status_at_stripe(bank: Bank, payment: Payment) -> str:
    return str((await bank.intent(payment.stripe_id))["status"])


async def test_a_webhook_is_stored_once_and_triggers_a_call_to_stripe(
    scenario: Scenario, sign: Sign, bank: Bank, stores: Stores
) -> None:
    payment = await scenario.pay(await bank.card())
    await bank.authenticate(payment.stripe_id, success=True)
    body, signature = sign(payment.id, event_id="evt_twice")
    for _ in range(2):
        event = await scenario.service.receive_webhook(body, signature)
        await scenario.service.apply_webhook(event)
    assert await scenario.statuses() == [PaymentStatus.AUTHORIZED]
    assert await scenario.published() == ["payment.authorized"]
    assert await stores.inbox.collection.count_documents({"_id": "evt_twice", "applied": True}) == 1


async def test_a_late_webhook_stores_only_stripes_current_state(scenario: Scenario, sign: Sign, bank: Bank) -> None:
    payment = await scenario.pay()
    await scenario.cancel()
    for kind in ("payment_intent.amount_capturable_updated", "payment_intent.succeeded"):
        event = await scenario.service.receive_webhook(*sign(payment.id, event_type=kind))
        await scenario.service.apply_webhook(event)
    assert await scenario.statuses() == [PaymentStatus.VOIDED]
    assert await scenario.published() == ["payment.authorized", "payment.voided"]


async def test_an_authorisation_of_a_payment_that_is_over_is_voided_by_its_webhook(
    scenario: Scenario, sign: Sign, stores: Stores, bank: Bank
) -> None:
    payment = await scenario.pay()
    # As if the payment had been ended while a replica that then died was confirming it.
    await stores.payments.collection.update_one({"_id": payment.id}, {"$set": {"status": "failed", "check_at": None}})
    event = await scenario.service.receive_webhook(*sign(payment.id))
    await scenario.service.apply_webhook(event)
    assert await status_at_stripe(bank, payment) == "canceled"


async def test_a_webhook_that_could_not_be_applied_is_applied_by_the_reconciler(
    scenario: Scenario, sign: Sign, bank: Bank, proxy: StripeProxy, stores: Stores
) -> None:
    payment = await scenario.pay(await bank.card())
    await bank.authenticate(payment.stripe_id, success=True)
    event = await scenario.service.receive_webhook(*sign(payment.id))
    proxy.fail("away", "GET ", times=3)
    await scenario.service.apply_webhook(event)
    assert await scenario.statuses() == [PaymentStatus.REQUIRES_ACTION]
    await stores.inbox.collection.update_many({}, {"$set": {"due_at": utc_now() - timedelta(seconds=1)}})
    await scenario.service.reconcile()
    assert await scenario.statuses() == [PaymentStatus.AUTHORIZED]
    assert await stores.inbox.list_unapplied(utc_now(), limit=10) == []


async def test_a_webhook_about_an_unknown_payment_is_stored_and_marked_applied(
    service: PaymentService, sign: Sign, stores: Stores
) -> None:
    for payment_id in (None, new_id()):
        event = await service.receive_webhook(*sign(payment_id))
        await service.apply_webhook(event)
    assert await stores.inbox.list_unapplied(utc_now() + timedelta(minutes=1), limit=10) == []


async def test_the_reconciler_finds_a_payment_that_the_buyer_finished_without_a_webhook(
    scenario: Scenario, bank: Bank
) -> None:
    payment = await scenario.pay(await bank.card())
    await bank.authenticate(payment.stripe_id, success=True)
    await scenario.due()
    assert await scenario.statuses() == [PaymentStatus.AUTHORIZED]


async def test_an_attempt_left_in_3d_secure_is_voided_at_the_deadline(scenario: Scenario, bank: Bank) -> None:
    payment = await scenario.pay(await bank.card())
    await scenario.run_out()
    await bank.authenticate(payment.stripe_id, success=True)
    await scenario.due()
    assert await scenario.statuses() == [PaymentStatus.VOIDED]
    assert await status_at_stripe(bank, payment) == "canceled"


async def test_a_check_without_a_result_is_repeated_later(
    scenario: Scenario, proxy: StripeProxy, stores: Stores
) -> None:
    proxy.fail("away", "POST ", times=99)
    with pytest.raises(StripeUnknownError):
        await scenario.pay()
    await scenario.due()
    (payment,) = await scenario.payments()
    assert payment.status is PaymentStatus.INITIATED
    assert payment.check_at is not None
    assert payment.check_at > utc_now()
    assert await stores.payments.list_to_check(utc_now(), limit=10) == []


async def test_a_declined_attempt_that_could_not_be_cancelled_at_stripe_is_cancelled_later(
    scenario: Scenario, proxy: StripeProxy, bank: Bank
) -> None:
    proxy.fail("away", "/cancel$", times=3)
    with pytest.raises(CardDeclinedError):
        await scenario.pay(BAD)
    (payment,) = await scenario.payments()
    assert await status_at_stripe(bank, payment) == "requires_payment_method"
    version = payment.version
    await scenario.due()
    (payment,) = await scenario.payments()
    assert await status_at_stripe(bank, payment) == "canceled"
    assert (payment.check_at, payment.version) == (None, version), "no event is needed"


async def test_no_log_line_and_no_event_holds_a_secret(
    scenario: Scenario,
    bank: Bank,
    proxy: StripeProxy,
    stores: Stores,
    printed_logs: Callable[[], str],
    stripe_key: str,
    webhook_secret: str,
) -> None:
    payment = await scenario.pay(await bank.card())
    assert payment.client_secret
    proxy.fail("away", "GET ", times=9)
    with pytest.raises(StripeUnknownError):
        await scenario.service.refresh(payment.id, user_id=scenario.order.user_id)
    proxy.heal()
    await bank.authenticate(payment.stripe_id, success=True)
    await scenario.due()
    printed = printed_logs()
    document = await stores.payments.collection.find_one({"_id": payment.id})
    assert "no definite response from stripe" in printed
    assert document is not None
    assert document["outbox"]
    assert document["client_secret"] is None, "removed at the authorisation"
    for secret in (payment.client_secret, stripe_key, webhook_secret):
        assert secret not in printed
        assert secret not in json.dumps(document["outbox"], default=str)
