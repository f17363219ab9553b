from dataclasses import replace
from typing import Any

import pytest

from ticketing_common.events import (
    PaymentAuthorized,
    PaymentCaptured,
    PaymentEvent,
    PaymentFailed,
    PaymentRefunded,
    PaymentStatus,
    PaymentVoided,
    parse_event,
)
from ticketing_payments.domain import Intent, IntentState, Payment
from ticketing_payments.publishers import PUBLISHERS, payment_change_event, payment_republished

from .scenario import make_order

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("status", "event_class"),
    [
        (PaymentStatus.AUTHORIZED, PaymentAuthorized),
        (PaymentStatus.CAPTURED, PaymentCaptured),
        (PaymentStatus.VOIDED, PaymentVoided),
        (PaymentStatus.FAILED, PaymentFailed),
        (PaymentStatus.REFUNDED, PaymentRefunded),
    ],
)
def test_each_status_that_others_need_has_its_event(status: PaymentStatus, event_class: type[PaymentEvent]) -> None:
    payment = Payment.begin(make_order(price_cents=1_999), attempt=1, payment_method_id="pm_1")
    payment.follow(Intent("pi_1", IntentState.NEEDS_BUYER, "the secret"))
    payment = replace(payment, status=status, version=3)

    event = PUBLISHERS[status](payment)

    assert type(event) is event_class
    assert event == payment_republished(payment).model_copy(update={"id": event.id, "time": event.time})
    assert parse_event(event.nats_subject, event.to_json()) == event
    assert event.data.amount_cents == 1_999
    assert (event.data.order_id, event.data.stripe_id, event.data.version) == (payment.order_id, "pi_1", 3)
    assert b"the secret" not in event.to_json()


def test_an_unsettled_status_has_no_event() -> None:
    assert set(PUBLISHERS) == set(PaymentStatus) - {PaymentStatus.INITIATED, PaymentStatus.REQUIRES_ACTION}


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [
        ({}, {}, None),
        ({}, {"status": PaymentStatus.REFUNDED, "refunded_cents": 1_999}, "payment.refunded"),
        ({}, {"refunded_cents": 5}, "payment.refunded"),
        ({"refunded_cents": 5}, {"refunded_cents": 0}, "payment.refunded"),
        ({}, {"disputed": True}, "payment.disputed"),
        ({"disputed": True}, {"disputed": False}, "payment.disputed"),
        ({"disputed": True}, {"disputed": False, "status": PaymentStatus.REFUNDED}, "payment.refunded"),
    ],
)
def test_a_change_has_one_event_or_none(before: dict[str, Any], after: dict[str, Any], name: str | None) -> None:
    payment = Payment.begin(make_order(price_cents=1_999), attempt=1, payment_method_id="pm_1")
    old = replace(payment, status=PaymentStatus.CAPTURED, version=4, **before)
    new = replace(old, version=5, **after)
    publish = payment_change_event(old, new)
    assert (publish and publish(new).NAME) == name
    if publish:
        assert (publish(new).data.refunded_cents, publish(new).data.disputed) == (new.refunded_cents, new.disputed)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "payment.captured"),
        ({"refunded_cents": 5}, "payment.refunded"),
        ({"disputed": True}, "payment.disputed"),
        ({"refunded_cents": 5, "disputed": True}, "payment.disputed"),
    ],
)
def test_a_payment_with_a_refund_is_republished_by_a_refund_event(changes: dict[str, Any], name: str) -> None:
    payment = Payment.begin(make_order(), attempt=1, payment_method_id="pm_1")
    event = payment_republished(replace(payment, status=PaymentStatus.CAPTURED, version=5, **changes))
    assert name == event.NAME
