from dataclasses import replace

import pytest

from ticketing_common.events import (
    PaymentAuthorized,
    PaymentCaptured,
    PaymentFailed,
    PaymentStatus,
    PaymentVoided,
    parse_event,
)
from ticketing_payments.domain import Intent, IntentState, Payment
from ticketing_payments.publishers import PUBLISHERS, payment_restated

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("status", "event_class"),
    [
        (PaymentStatus.AUTHORIZED, PaymentAuthorized),
        (PaymentStatus.CAPTURED, PaymentCaptured),
        (PaymentStatus.VOIDED, PaymentVoided),
        (PaymentStatus.FAILED, PaymentFailed),
    ],
)
def test_each_status_that_others_need_has_its_event(make_order, status, event_class):
    payment = Payment.begin(make_order(price_cents=1_999), attempt=1, payment_method_id="pm_1")
    payment.follow(Intent("pi_1", IntentState.NEEDS_BUYER, "the secret"))
    payment = replace(payment, status=status, version=3)

    event = PUBLISHERS[status](payment)

    assert type(event) is event_class
    assert event == payment_restated(payment).model_copy(update={"id": event.id, "time": event.time})
    assert parse_event(event.nats_subject, event.to_json()) == event
    assert event.data.amount_cents == 1_999
    assert (event.data.order_id, event.data.stripe_id, event.data.version) == (payment.order_id, "pi_1", 3)
    assert b"the secret" not in event.to_json()


def test_nobody_hears_of_what_is_not_settled():
    assert set(PUBLISHERS) == set(PaymentStatus) - {PaymentStatus.INITIATED, PaymentStatus.REQUIRES_ACTION}
