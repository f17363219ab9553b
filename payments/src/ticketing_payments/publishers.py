"""Pure functions from a payment to the event that describes it. Events omit what only this service needs."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from ticketing_common.events import (
    PaymentAuthorized,
    PaymentCaptured,
    PaymentData,
    PaymentDisputed,
    PaymentEvent,
    PaymentFailed,
    PaymentRefunded,
    PaymentStatus,
    PaymentVoided,
)

from .domain import Payment

PaymentPublisher: TypeAlias = Callable[[Payment], PaymentEvent]


def _publisher(kind: type[PaymentEvent]) -> PaymentPublisher:
    return lambda payment: kind.of(_data(payment))


_payment_refunded: Final = _publisher(PaymentRefunded)
_payment_disputed: Final = _publisher(PaymentDisputed)
PUBLISHERS: Final[Mapping[PaymentStatus, PaymentPublisher]] = {
    PaymentStatus.AUTHORIZED: _publisher(PaymentAuthorized),
    PaymentStatus.CAPTURED: _publisher(PaymentCaptured),
    PaymentStatus.VOIDED: _publisher(PaymentVoided),
    PaymentStatus.FAILED: _publisher(PaymentFailed),
    PaymentStatus.REFUNDED: _payment_refunded,
}
"""The publisher of each status that other services need to know."""


def payment_change_event(before: Payment, after: Payment) -> PaymentPublisher | None:
    """The publisher for a change, or None if no other service needs an event. Each event carries the whole state."""
    if after.status is not before.status:
        return PUBLISHERS.get(after.status)
    if after.refunded_cents != before.refunded_cents:
        return _payment_refunded
    return _payment_disputed if after.disputed != before.disputed else None


def payment_republished(payment: Payment) -> PaymentEvent:
    """The payment's current state as an event, for a resync. Raises `KeyError` for a status without a publisher.

    Not every consumer subscribes to `payment.captured`, so a payment with a refund is published as `payment.refunded`.
    """
    if payment.disputed:
        return _payment_disputed(payment)
    if payment.refunded_cents:
        return _payment_refunded(payment)
    return PUBLISHERS[payment.status](payment)


def _data(payment: Payment) -> PaymentData:
    return PaymentData(
        id=payment.id,
        version=payment.version,
        order_id=payment.order_id,
        user_id=payment.user_id,
        amount_cents=payment.amount_cents,
        currency=payment.currency,
        status=payment.status,
        stripe_id=payment.stripe_id,
        created_at=payment.created_at,
        refunded_cents=payment.refunded_cents,
        disputed=payment.disputed,
    )
