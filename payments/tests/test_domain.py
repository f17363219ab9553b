from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import OrderData, OrderStatus, PaymentStatus
from ticketing_payments.domain import (
    ACTIVE_STATUSES,
    OPEN_STATES,
    OUTDATED_EVENT_STATUSES,
    TRANSITIONS,
    Decline,
    Intent,
    IntentState,
    Payment,
    Step,
    StripeEvent,
    check_payable,
    next_step,
)
from ticketing_payments.errors import OrderForbiddenError, PaymentNotPossibleError, PaymentTransitionError

pytestmark = pytest.mark.unit

NO = Decline("Your card was declined.", "card_declined")


def order_of(payment: Payment | None = None, *, seconds: float = 900, **changes: object) -> OrderData:
    fields: dict[str, object] = {
        "id": payment.order_id if payment else new_id(),
        "version": 1,
        "status": OrderStatus.CREATED,
        "reason": None,
        "user_id": new_id(),
        "expires_at": utc_now() + timedelta(seconds=seconds),
        "created_at": utc_now(),
        "payment_id": None,
        "ticket": {"id": new_id(), "title": "A night out", "price_cents": 1_999, "currency": "usd"},
    }
    return OrderData.model_validate(fields | changes)


def payment_in(status: PaymentStatus = PaymentStatus.INITIATED, *, method: str | None = "pm_1") -> Payment:
    payment = Payment.begin(order_of(), attempt=1, payment_method_id=method)
    return replace(payment, status=status, stripe_id=None if status is PaymentStatus.INITIATED else "pi_1")


def intent_in(state: IntentState, *, decline: Decline | None = None) -> Intent:
    return Intent("pi_1", state, "pi_1_secret", decline)


def test_a_payment_is_of_all_seats_of_the_order() -> None:
    payment = Payment.begin(order_of(seats=[3, 9, 10]), attempt=1, payment_method_id="pm_1")
    assert payment.amount_cents == 3 * 1_999


def test_a_payment_is_of_the_price_that_the_order_was_placed_at() -> None:
    order = order_of()
    payment = Payment.begin(order, attempt=3, payment_method_id="pm_1")
    assert (payment.amount_cents, payment.currency, payment.user_id) == (1_999, "usd", order.user_id)
    assert payment.idempotency_key == f"order:{order.id}:pay:3"


def test_nothing_shows_the_client_secret() -> None:
    payment = payment_in()
    payment.follow(intent_in(IntentState.NEEDS_BUYER))
    assert payment.client_secret == "pi_1_secret"
    assert "pi_1_secret" not in repr(payment)
    assert "pi_1_secret" not in repr(intent_in(IntentState.NEEDS_BUYER))


@pytest.mark.parametrize(
    ("before", "state", "after"),
    [
        (PaymentStatus.INITIATED, IntentState.UNCONFIRMED, PaymentStatus.INITIATED),
        (PaymentStatus.INITIATED, IntentState.PROCESSING, PaymentStatus.INITIATED),
        (PaymentStatus.INITIATED, IntentState.NEEDS_BUYER, PaymentStatus.REQUIRES_ACTION),
        (PaymentStatus.INITIATED, IntentState.DECLINED, PaymentStatus.FAILED),
        (PaymentStatus.INITIATED, IntentState.AUTHORIZED, PaymentStatus.AUTHORIZED),
        (PaymentStatus.INITIATED, IntentState.CAPTURED, PaymentStatus.AUTHORIZED),
        (PaymentStatus.INITIATED, IntentState.CANCELLED, PaymentStatus.VOIDED),
        (PaymentStatus.REQUIRES_ACTION, IntentState.AUTHORIZED, PaymentStatus.AUTHORIZED),
        (PaymentStatus.REQUIRES_ACTION, IntentState.DECLINED, PaymentStatus.FAILED),
        (PaymentStatus.REQUIRES_ACTION, IntentState.CANCELLED, PaymentStatus.VOIDED),
        (PaymentStatus.AUTHORIZED, IntentState.CAPTURED, PaymentStatus.CAPTURED),
        (PaymentStatus.CAPTURED, IntentState.REFUNDED, PaymentStatus.REFUNDED),
        (PaymentStatus.AUTHORIZED, IntentState.REFUNDED, PaymentStatus.REFUNDED),
        (PaymentStatus.INITIATED, IntentState.REFUNDED, PaymentStatus.VOIDED),
    ],
)
def test_a_payment_follows_stripe(before: PaymentStatus, state: IntentState, after: PaymentStatus) -> None:
    payment = payment_in(before)
    payment.follow(intent_in(state))
    assert payment.status is after


@pytest.mark.parametrize("state", [IntentState.UNCONFIRMED, IntentState.NEEDS_BUYER, IntentState.AUTHORIZED])
@pytest.mark.parametrize(
    "status", [PaymentStatus.CAPTURED, PaymentStatus.VOIDED, PaymentStatus.FAILED, PaymentStatus.REFUNDED]
)
def test_an_outdated_state_changes_nothing(status: PaymentStatus, state: IntentState) -> None:
    payment = payment_in(status)
    assert not payment.follow(intent_in(state))
    assert payment.status is status


def test_another_payment_intent_than_ones_own_changes_nothing() -> None:
    payment = payment_in(PaymentStatus.REQUIRES_ACTION)
    assert not payment.follow(Intent("pi_other", IntentState.AUTHORIZED))
    assert payment.status is PaymentStatus.REQUIRES_ACTION


def test_with_the_card_form_in_the_browser_a_declined_card_may_be_followed_by_another() -> None:
    payment = payment_in(method=None)
    payment.follow(intent_in(IntentState.DECLINED, decline=NO))
    assert payment.status is PaymentStatus.REQUIRES_ACTION


def test_a_capture_that_is_refused_for_good_fails_the_payment() -> None:
    payment = payment_in(PaymentStatus.AUTHORIZED)
    assert payment.follow(intent_in(IntentState.AUTHORIZED, decline=NO))
    assert (payment.status, payment.decline_message) == (PaymentStatus.FAILED, NO.message)
    assert payment.check_at is not None, "what is still set aside at Stripe must be let go"


@pytest.mark.parametrize(("released", "after"), [(True, PaymentStatus.VOIDED), (False, PaymentStatus.FAILED)])
def test_an_authorisation_that_ends_without_us_has_failed(released: bool, after: PaymentStatus) -> None:
    payment = payment_in(PaymentStatus.AUTHORIZED)
    payment.follow(intent_in(IntentState.CANCELLED), released=released)
    assert payment.status is after
    assert payment.check_at is None


def test_only_an_attempt_that_never_reached_stripe_is_abandoned_or_refused() -> None:
    for act in (Payment.abandon, lambda payment: payment.refuse(NO)):
        reached = payment_in()
        reached.follow(intent_in(IntentState.UNCONFIRMED))
        assert not act(reached)
        assert reached.status is PaymentStatus.INITIATED
        fresh = payment_in()
        assert act(fresh)
        assert fresh.over
        assert not act(fresh)


def test_a_forbidden_step_raises_and_a_repeated_one_does_nothing() -> None:
    payment = payment_in(PaymentStatus.VOIDED)
    assert not payment._move(PaymentStatus.VOIDED)
    with pytest.raises(PaymentTransitionError):
        payment._move(PaymentStatus.AUTHORIZED)


def test_the_next_check_is_later_the_older_the_payment_is() -> None:
    payment = payment_in()
    waits = [
        payment.next_check(now) - now for now in (payment.created_at + timedelta(seconds=age) for age in (0, 20, 3_600))
    ]
    assert waits == [timedelta(seconds=5), timedelta(seconds=20), timedelta(seconds=60)]


@pytest.mark.parametrize(
    ("changes", "seconds", "error"),
    [
        ({"user_id": "another user"}, 900, OrderForbiddenError),
        ({"status": OrderStatus.COMPLETE}, 900, PaymentNotPossibleError),
        ({"status": OrderStatus.CANCELLED}, 900, PaymentNotPossibleError),
        ({}, 0, PaymentNotPossibleError),
        ({}, -1, PaymentNotPossibleError),
    ],
)
def test_what_cannot_be_paid_is_refused(changes: dict[str, Any], seconds: int, error: type[Exception]) -> None:
    order = order_of(seconds=seconds)
    with pytest.raises(error):
        check_payable(order.model_copy(update=changes), order.user_id, utc_now())


def test_stripe_is_called_for_money_only_while_the_hold_runs() -> None:
    payment = payment_in()
    assert next_step(payment, order_of(payment), None, utc_now()) is Step.CREATE
    payment.follow(intent_in(IntentState.UNCONFIRMED))
    assert next_step(payment, order_of(payment), None, utc_now()) is Step.ASK
    unconfirmed = intent_in(IntentState.UNCONFIRMED)
    assert next_step(payment, order_of(payment), unconfirmed, utc_now()) is Step.CONFIRM
    for over in (order_of(seconds=0), order_of(status=OrderStatus.CANCELLED), order_of(status=OrderStatus.COMPLETE)):
        assert next_step(payment, over, unconfirmed, utc_now()) is Step.VOID


def test_only_the_payment_that_the_order_names_is_captured() -> None:
    payment = payment_in(PaymentStatus.AUTHORIZED)
    complete = order_of(status=OrderStatus.COMPLETE, payment_id=payment.id)
    assert next_step(payment, complete, None, utc_now()) is Step.CAPTURE
    other = order_of(status=OrderStatus.COMPLETE, payment_id=new_id())
    assert next_step(payment, other, None, utc_now()) is Step.VOID
    assert next_step(payment, order_of(seconds=-60), None, utc_now()) is Step.NOTHING, "orders decides, not the clock"


intents = st.builds(
    Intent,
    st.sampled_from(["pi_1", "pi_2"]),
    st.sampled_from(IntentState),
    st.just("secret"),
    st.sampled_from([None, NO]),
    refunded_cents=st.sampled_from([None, 0, 1, 1_999, 9_999]),
    disputed=st.booleans(),
)


@given(states=st.lists(st.tuples(intents, st.booleans()), max_size=12), method=st.sampled_from([None, "pm_1"]))
def test_states_in_any_order_make_only_transitions_of_the_table(
    states: list[tuple[Intent, bool]], method: str | None
) -> None:
    payment = payment_in(method=method)
    for intent, released in states:
        before = payment.status
        payment.follow(intent, released=released)
        assert payment.status is before or payment.status in TRANSITIONS[before]
        assert payment.undecided or payment.client_secret is None, "removed when the browser has no further step"
        money_was_ours = payment.status in (PaymentStatus.CAPTURED, PaymentStatus.REFUNDED)
        assert money_was_ours or (payment.refunded_cents, payment.disputed) == (0, False)
        assert 0 <= payment.refunded_cents <= payment.amount_cents
        once = replace(payment)
        payment.follow(intent, released=released)
        if payment.status is PaymentStatus.AUTHORIZED:
            continue  # captured before the authorisation was known: the second state is a further transition
        assert payment.status in {once.status, *TRANSITIONS[once.status]}


@given(
    status=st.sampled_from(PaymentStatus),
    order_status=st.sampled_from(OrderStatus),
    intent=st.one_of(st.none(), intents),
    seconds=st.sampled_from([-1, 0, 900]),
)
def test_money_never_moves_towards_us_without_a_live_order(
    status: PaymentStatus, order_status: OrderStatus, intent: Intent | None, seconds: int
) -> None:
    payment = payment_in(status)
    order = order_of(payment, seconds=seconds, status=order_status)
    step = next_step(payment, order, intent, utc_now())
    if step in (Step.CREATE, Step.CONFIRM):
        assert order_status is OrderStatus.CREATED
        assert seconds > 0
    if step is Step.CAPTURE:
        assert (status, order_status) == (PaymentStatus.AUTHORIZED, OrderStatus.COMPLETE)
    if order_status is OrderStatus.CANCELLED and status in ACTIVE_STATUSES:
        assert step in (Step.VOID, Step.REFUND)
    if status is PaymentStatus.REFUNDED:
        assert step is Step.NOTHING, "a refund that failed would fail again"
    elif status not in ACTIVE_STATUSES and intent is not None and intent.state in OPEN_STATES:
        assert step is Step.VOID


STATES = {
    "payment_intent.created": IntentState.UNCONFIRMED,
    "payment_intent.requires_action": IntentState.NEEDS_BUYER,
    "payment_intent.amount_capturable_updated": IntentState.AUTHORIZED,
    "payment_intent.succeeded": IntentState.CAPTURED,
    "payment_intent.canceled": IntentState.CANCELLED,
}


@pytest.mark.parametrize("kind", [*STATES, "payment_intent.payment_failed"])
@pytest.mark.parametrize("status", PaymentStatus)
@pytest.mark.parametrize("of_the_order", OrderStatus)
def test_a_webhook_is_outdated_where_it_could_change_nothing(
    kind: str, status: PaymentStatus, of_the_order: OrderStatus
) -> None:
    payment = payment_in(status)
    if payment.knows(StripeEvent("evt_1", kind, payment.id)):
        order, now = order_of(payment, status=of_the_order), utc_now()
        called_anyway = next_step(payment, order, None, now) is Step.ASK or payment.stripe_id is None
        intent = intent_in(STATES[kind])
        assert called_anyway or next_step(payment, order, None, now) is next_step(payment, order, intent, now)
        assert called_anyway or not payment.follow(replace(intent, client_secret=None))
    elif status in (PaymentStatus.VOIDED, PaymentStatus.FAILED):
        assert kind != "payment_intent.canceled", "any other event may mean money on a payment that is over"


def test_a_webhook_that_is_not_in_the_table_is_not_outdated() -> None:
    assert set(STATES) == set(OUTDATED_EVENT_STATUSES)
    assert not payment_in(PaymentStatus.CAPTURED).knows(StripeEvent("evt_1", "payment_intent.on_the_moon", None))
