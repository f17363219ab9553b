import asyncio
import json
from datetime import timedelta

import pytest

from ticketing_common.entity import new_id, utc_now
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
    StripeUnknownError,
)
from ticketing_payments.service import PaymentService
from ticketing_payments.stripe_gateway import StripeGateway

GOOD, BAD = "pm_card_visa", "pm_card_chargeCustomerFail"


class Story:
    """One order and what becomes of it."""

    def __init__(self, service, stores, order) -> None:
        self.service, self.stores, self.order = service, stores, order

    def pay(self, method: str | None = GOOD, *, by=None):
        service = by or self.service
        return service.pay(self.order.id, user_id=self.order.user_id, payment_method_id=method)

    async def change(self, **changes) -> None:
        """The order changes, and payments hears of it."""
        self.order = self.order.model_copy(update={"version": self.order.version + 1, **changes})
        await self.service.follow_order(self.order)

    async def complete(self, payment) -> None:
        await self.change(status=OrderStatus.COMPLETE, payment_id=payment.id)

    async def cancel(self, reason=OrderReason.EXPIRED) -> None:
        await self.change(status=OrderStatus.CANCELLED, reason=reason)

    async def payments(self):
        cursor = self.stores.payments.collection.find({"order_id": self.order.id}).sort("attempt", 1)
        return [self.stores.payments.to_entity(document) async for document in cursor]

    async def statuses(self) -> list[PaymentStatus]:
        return [payment.status for payment in await self.payments()]

    async def told(self) -> list[str]:
        """The events of all attempts, oldest first."""
        cursor = self.stores.payments.collection.find({"order_id": self.order.id}).sort("attempt", 1)
        return [entry["subject"].rpartition(".")[0] async for document in cursor for entry in document["outbox"]]

    async def run_out(self) -> None:
        """The deadline passes, and orders has not said so yet."""
        await self.change(expires_at=utc_now() - timedelta(seconds=1))

    async def due(self) -> None:
        """Time passes: the reconciler looks at every payment of this order."""
        for payment in await self.payments():
            if payment.check_at is not None:
                await self.stores.payments.check_later(payment.id, utc_now() - timedelta(seconds=1))
        await self.service.reconcile()


@pytest.fixture
async def story(service, stores, make_order):
    story = Story(service, stores, make_order())
    await service.follow_order(story.order)
    return story


async def status_at_stripe(bank, payment) -> str:
    return (await bank.intent(payment.stripe_id))["status"]


# --- paying ------------------------------------------------------------------------------------------------------


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


async def test_the_price_is_the_orders_and_exact_to_the_cent(service, stores, bank, make_order):
    story = Story(service, stores, make_order(price_cents=1_999))
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


async def test_a_payment_that_overtakes_its_order_waits_for_it(service, stores, make_order):
    story = Story(service, stores, make_order())
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


# --- twice at once -----------------------------------------------------------------------------------------------


async def test_a_double_click_makes_one_payment(story, bank):
    for payments in [await asyncio.gather(story.pay(), story.pay(), story.pay())]:
        assert len({payment.id for payment in payments}) == 1
    assert await story.statuses() == [PaymentStatus.AUTHORIZED]
    assert len(await bank.intents_of(story.order.id)) == 1


async def test_a_double_click_on_the_bare_double_makes_one_payment_too(
    stores, make_order, make_settings, bank, stripe_url
):
    settings = make_settings(stripe_api_base=stripe_url, stripe_parameter_profile="localstripe")
    async with StripeGateway.connect(settings) as gateway:
        service = PaymentService(stores.payments, stores.orders, stores.inbox, gateway, settings)
        story = Story(service, stores, make_order())
        await service.follow_order(story.order)
        first, second = await asyncio.gather(story.pay(), story.pay())
    assert first.id == second.id
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
    first, second = await asyncio.gather(story.pay(await bank.card("4242424242424242")), story.pay(GOOD))
    assert first.id == second.id
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


# --- the browser's part ------------------------------------------------------------------------------------------


async def test_3d_secure_goes_to_the_buyer_and_back(story, bank):
    payment = await story.pay(await bank.card())
    assert payment.status is PaymentStatus.REQUIRES_ACTION
    assert payment.client_secret
    assert await story.told() == []
    await bank.authenticate(payment.stripe_id, success=True)
    refreshed = await story.service.refresh(payment.id, user_id=story.order.user_id)
    assert refreshed.status is PaymentStatus.AUTHORIZED
    assert await story.told() == ["payment.authorized"]


async def test_3d_secure_that_fails_is_a_declined_card(story, bank):
    payment = await story.pay(await bank.card())
    await bank.authenticate(payment.stripe_id, success=False)
    refreshed = await story.service.refresh(payment.id, user_id=story.order.user_id)
    assert refreshed.status is PaymentStatus.FAILED
    assert await status_at_stripe(bank, payment) == "canceled", "the secret that was handed out is worth nothing now"
    assert (await story.pay(GOOD)).status is PaymentStatus.AUTHORIZED


async def test_a_failed_3d_secure_that_nobody_reported_does_not_stop_the_next_card(story, bank):
    payment = await story.pay(await bank.card())
    await bank.authenticate(payment.stripe_id, success=False)
    assert (await story.pay(GOOD)).attempt == 2


async def test_without_a_card_the_browser_gets_the_secret(story):
    payment = await story.pay(None)
    assert payment.status is PaymentStatus.REQUIRES_ACTION
    assert payment.client_secret
    assert (await story.pay(None)).id == payment.id


# --- lost answers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        ("POST /v1/payment_intents$", "lost"),
        ("POST /v1/payment_intents$", "away"),
        ("/confirm$", "lost"),
        ("/confirm$", "away"),
        ("/confirm$", "crashed"),
    ],
)
async def test_an_unknown_outcome_is_found_out_and_charged_once(story, proxy, bank, fault, call):
    proxy.fail(fault, call, times=9)
    with pytest.raises(StripeUnknownError):
        await story.pay()
    assert await story.statuses() == [PaymentStatus.INITIATED]
    assert await story.told() == []
    proxy.heal()
    await story.due()
    assert await story.statuses() == [PaymentStatus.AUTHORIZED]
    assert await story.told() == ["payment.authorized"]
    assert len(await bank.intents_of(story.order.id)) == 1


async def test_a_key_over_which_stripe_broke_down_is_given_up_for_a_new_one(story, proxy, bank):
    proxy.fail("crashed", "POST /v1/payment_intents$")
    with pytest.raises(StripeUnknownError):
        await story.pay()
    assert (await story.pay()).attempt == 2
    assert await story.statuses() == [PaymentStatus.VOIDED, PaymentStatus.AUTHORIZED]
    statuses = {intent["status"] for intent in await bank.intents_of(story.order.id)}
    assert statuses == {"requires_confirmation", "requires_capture"}, "the first was never put to the bank"


async def test_paying_again_after_a_lost_answer_gives_that_answer(story, proxy, bank):
    proxy.fail("lost", "/confirm$", times=3)
    with pytest.raises(StripeUnknownError):
        await story.pay()
    payment = await story.pay()
    assert (payment.status, payment.attempt) == (PaymentStatus.AUTHORIZED, 1)
    assert len(await bank.intents_of(story.order.id)) == 1


async def test_with_another_card_after_a_lost_answer_the_first_card_is_not_charged_beside_it(story, proxy, bank):
    proxy.fail("lost", "/confirm$", times=3)
    with pytest.raises(StripeUnknownError):
        await story.pay(GOOD)
    payment = await story.pay(await bank.card("4242424242424242"))
    assert payment.attempt == 1
    assert [one["status"] for one in await bank.intents_of(story.order.id)] == ["requires_capture"]


async def test_a_declined_card_whose_answer_got_lost_is_followed_by_the_other(story, proxy):
    proxy.fail("lost", "/confirm$", times=3)
    with pytest.raises(StripeUnknownError):
        await story.pay(BAD)
    assert (await story.pay(GOOD)).attempt == 2
    assert await story.statuses() == [PaymentStatus.FAILED, PaymentStatus.AUTHORIZED]


async def test_an_expired_hold_is_not_charged_by_finding_out(story, proxy, bank):
    proxy.fail("away", "/confirm$", times=9)
    with pytest.raises(StripeUnknownError):
        await story.pay()
    proxy.heal()
    confirmations = len(proxy.made("/confirm$"))
    await story.run_out()
    await story.due()
    assert await story.statuses() == [PaymentStatus.VOIDED]
    assert len(proxy.made("/confirm$")) == confirmations
    assert [one["status"] for one in await bank.intents_of(story.order.id)] == ["canceled"]


async def test_a_hold_that_expires_before_stripe_was_reached_ends_without_stripe(service, stores, make_order, proxy):
    story = Story(service, stores, make_order())
    await service.follow_order(story.order)
    proxy.fail("away", "POST /v1/payment_intents$", times=9)
    with pytest.raises(StripeUnknownError):
        await story.pay()
    calls = len(proxy.calls)
    await story.cancel()
    assert await story.statuses() == [PaymentStatus.VOIDED]
    assert len(proxy.calls) == calls


# --- what orders decides -----------------------------------------------------------------------------------------


async def test_a_cancelled_order_lets_the_money_go(story, bank):
    payment = await story.pay()
    await story.cancel()
    await story.change()
    assert await story.statuses() == [PaymentStatus.VOIDED]
    assert await status_at_stripe(bank, payment) == "canceled"
    assert await story.told() == ["payment.authorized", "payment.voided"]


async def test_an_order_that_is_cancelled_while_the_bank_is_asked_lets_the_money_go_at_once(story, proxy, bank):
    asked = proxy.fail("held", "/confirm$")
    paying = asyncio.create_task(story.pay())
    await asked.reached.wait()
    cancelling = asyncio.create_task(story.cancel(OrderReason.BUYER))
    while (await story.stores.orders.find(story.order.id)).status is not OrderStatus.CANCELLED:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    asked.release()
    with pytest.raises(PaymentNotPossibleError):
        await paying
    await cancelling
    assert await story.statuses() == [PaymentStatus.VOIDED]
    assert [one["status"] for one in await bank.intents_of(story.order.id)] == ["canceled"]


async def test_what_another_replica_confirms_while_this_one_cancels_is_let_go(
    story, stores, make_settings, proxy, bank
):
    asked = proxy.fail("held", "/confirm$")
    paying = asyncio.create_task(story.pay())
    await asked.reached.wait()
    settings = make_settings(stripe_api_base=proxy.url)
    async with StripeGateway.connect(settings) as gateway:
        story.service = PaymentService(stores.payments, stores.orders, stores.inbox, gateway, settings)
        await story.cancel()
        assert await story.statuses() == [PaymentStatus.VOIDED]
        asked.release()
        with pytest.raises(PaymentNotPossibleError):
            await paying
    assert await story.statuses() == [PaymentStatus.VOIDED]
    assert [one["status"] for one in await bank.intents_of(story.order.id)] == ["canceled"]


@pytest.mark.parametrize("fault", ["lost", "away"])
async def test_a_capture_without_an_answer_is_tried_again_with_the_same_key(story, proxy, bank, fault):
    payment = await story.pay()
    proxy.fail(fault, "/capture$", times=3)
    with pytest.raises(StripeUnknownError):  # which delivery puts off and brings again
        await story.complete(payment)
    assert await story.statuses() == [PaymentStatus.AUTHORIZED]
    await story.due()
    assert await story.statuses() == [PaymentStatus.CAPTURED]
    assert len({call.key for call in proxy.made("/capture$")}) == 1
    assert await story.told() == ["payment.authorized", "payment.captured"]


async def test_a_capture_that_is_refused_for_good_fails_the_payment(story, proxy, bank):
    payment = await story.pay()
    proxy.fail("refused", "/capture$", error={"code": "charge_expired_for_capture"})
    await story.complete(payment)
    assert await story.statuses() == [PaymentStatus.FAILED]
    assert await story.told() == ["payment.authorized", "payment.failed"]
    assert await status_at_stripe(bank, payment) == "canceled", "nothing stays set aside on the buyer's card"
    await story.cancel(OrderReason.PAYMENT_FAILED)
    assert await story.statuses() == [PaymentStatus.FAILED]


async def test_an_authorisation_that_ended_at_stripe_fails_the_payment_of_a_complete_order(story, bank):
    payment = await story.pay()
    await bank.call("POST", f"/v1/payment_intents/{payment.stripe_id}/cancel")
    await story.complete(payment)
    assert await story.told() == ["payment.authorized", "payment.failed"]


async def test_what_a_lost_race_captured_is_given_back_once(story, proxy, bank):
    payment = await story.pay()
    await story.complete(payment)
    proxy.fail("lost", "/refunds$", times=3)
    with pytest.raises(StripeUnknownError):
        await story.cancel()
    await story.change()
    assert await story.statuses() == [PaymentStatus.VOIDED]
    refunds = await bank.call("GET", f"/v1/refunds?payment_intent={payment.stripe_id}")
    assert [refund["amount"] for refund in refunds["data"]] == [story.order.ticket.price_cents]
    assert await story.told() == ["payment.authorized", "payment.captured", "payment.voided"]


async def test_money_that_was_captured_at_stripe_for_a_cancelled_order_is_given_back(story, bank):
    payment = await story.pay()
    await bank.call("POST", f"/v1/payment_intents/{payment.stripe_id}/capture")
    await story.cancel()
    assert await story.told() == ["payment.authorized", "payment.captured", "payment.voided"]
    refunds = await bank.call("GET", f"/v1/refunds?payment_intent={payment.stripe_id}")
    assert len(refunds["data"]) == 1


async def test_letting_go_without_an_answer_is_tried_again(story, proxy, bank):
    payment = await story.pay()
    proxy.fail("lost", "/cancel$", times=3)
    with pytest.raises(StripeUnknownError):
        await story.cancel()
    await story.due()
    assert await story.statuses() == [PaymentStatus.VOIDED]
    assert await status_at_stripe(bank, payment) == "canceled"


async def test_an_order_that_is_told_of_out_of_order_ends_as_its_newest_state_says(story, bank):
    payment = await story.pay()
    created = story.order
    await story.complete(payment)
    await story.service.follow_order(created)
    assert await story.statuses() == [PaymentStatus.CAPTURED]


# --- webhooks and the reconciler ---------------------------------------------------------------------------------


async def test_a_webhook_is_stored_once_and_makes_us_ask(story, sign, bank, stores):
    payment = await story.pay(await bank.card())
    await bank.authenticate(payment.stripe_id, success=True)
    body, signature = sign(payment.id, event_id="evt_twice")
    for _ in range(2):
        event = await story.service.receive_webhook(body, signature)
        await story.service.apply_webhook(event)
    assert await story.statuses() == [PaymentStatus.AUTHORIZED]
    assert await story.told() == ["payment.authorized"]
    assert await stores.inbox._collection.count_documents({"_id": "evt_twice", "applied": True}) == 1


async def test_a_webhook_that_comes_late_says_nothing_that_is_not_true_now(story, sign, bank):
    payment = await story.pay()
    await story.cancel()
    for kind in ("payment_intent.amount_capturable_updated", "payment_intent.succeeded"):
        event = await story.service.receive_webhook(*sign(payment.id, event_type=kind))
        await story.service.apply_webhook(event)
    assert await story.statuses() == [PaymentStatus.VOIDED]
    assert await story.told() == ["payment.authorized", "payment.voided"]


async def test_money_set_aside_on_a_payment_that_is_over_is_let_go_when_stripe_tells(story, sign, stores, bank):
    payment = await story.pay()
    # As if the row had been closed while the bank was being asked by a replica that then died.
    await stores.payments.collection.update_one({"_id": payment.id}, {"$set": {"status": "failed", "check_at": None}})
    event = await story.service.receive_webhook(*sign(payment.id))
    await story.service.apply_webhook(event)
    assert await status_at_stripe(bank, payment) == "canceled"


async def test_a_webhook_that_could_not_be_applied_is_applied_by_the_reconciler(story, sign, bank, proxy, stores):
    payment = await story.pay(await bank.card())
    await bank.authenticate(payment.stripe_id, success=True)
    event = await story.service.receive_webhook(*sign(payment.id))
    proxy.fail("away", "GET ", times=3)
    await story.service.apply_webhook(event)
    assert await story.statuses() == [PaymentStatus.REQUIRES_ACTION]
    await stores.inbox._collection.update_many({}, {"$set": {"received_at": utc_now() - timedelta(minutes=1)}})
    await story.service.reconcile()
    assert await story.statuses() == [PaymentStatus.AUTHORIZED]
    assert await stores.inbox.list_unapplied(utc_now(), limit=10) == []


async def test_a_webhook_about_nothing_of_ours_is_stored_and_done_with(service, sign, stores):
    for payment_id in (None, new_id()):
        event = await service.receive_webhook(*sign(payment_id))
        await service.apply_webhook(event)
    assert await stores.inbox.list_unapplied(utc_now() + timedelta(minutes=1), limit=10) == []


async def test_the_reconciler_finds_a_payment_that_the_buyer_finished_and_nobody_told(story, bank):
    payment = await story.pay(await bank.card())
    await bank.authenticate(payment.stripe_id, success=True)
    await story.due()
    assert await story.statuses() == [PaymentStatus.AUTHORIZED]


async def test_a_buyer_who_never_comes_back_from_3d_secure_is_let_go_at_the_deadline(story, bank):
    payment = await story.pay(await bank.card())
    await story.run_out()
    await bank.authenticate(payment.stripe_id, success=True)
    await story.due()
    assert await story.statuses() == [PaymentStatus.VOIDED]
    assert await status_at_stripe(bank, payment) == "canceled"


async def test_what_the_reconciler_looked_at_in_vain_is_looked_at_later(story, proxy, stores):
    proxy.fail("away", "POST ", times=99)
    with pytest.raises(StripeUnknownError):
        await story.pay()
    await story.due()
    (payment,) = await story.payments()
    assert payment.status is PaymentStatus.INITIATED
    assert payment.check_at > utc_now()
    assert await stores.payments.list_to_check(utc_now(), limit=10) == []


async def test_a_declined_attempt_that_could_not_be_tidied_up_is_tidied_up_later(story, proxy, bank):
    proxy.fail("away", "/cancel$", times=3)
    with pytest.raises(CardDeclinedError):
        await story.pay(BAD)
    (payment,) = await story.payments()
    assert await status_at_stripe(bank, payment) == "requires_payment_method"
    version = payment.version
    await story.due()
    (payment,) = await story.payments()
    assert await status_at_stripe(bank, payment) == "canceled"
    assert (payment.check_at, payment.version) == (None, version), "nobody else has to hear of that"


async def test_no_log_line_and_no_event_holds_a_secret(story, bank, proxy, stores, capsys, stripe_key, webhook_secret):
    payment = await story.pay(await bank.card())
    proxy.fail("away", "GET ", times=9)
    with pytest.raises(StripeUnknownError):
        await story.service.refresh(payment.id, user_id=story.order.user_id)
    proxy.heal()
    await bank.authenticate(payment.stripe_id, success=True)
    await story.due()
    printed = capsys.readouterr().out
    document = await stores.payments.collection.find_one({"_id": payment.id})
    assert "no definite answer from stripe" in printed
    assert document["outbox"]
    for secret in (payment.client_secret, stripe_key, webhook_secret):
        assert secret not in printed
        assert secret not in json.dumps(document["outbox"], default=str)
