"""From a payment to the event that tells of it; pure. What only payments needs to know is in none of them."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from ticketing_common.events import (
    PaymentAuthorized,
    PaymentCaptured,
    PaymentData,
    PaymentEvent,
    PaymentFailed,
    PaymentStatus,
    PaymentVoided,
)

from .domain import Payment

__all__ = [
    "PUBLISHERS",
    "payment_authorized",
    "payment_captured",
    "payment_failed",
    "payment_restated",
    "payment_voided",
]

PaymentPublisher: TypeAlias = Callable[[Payment], PaymentEvent]


def payment_authorized(payment: Payment) -> PaymentAuthorized:
    """The bank set the money aside."""
    return PaymentAuthorized.of(_data(payment))


def payment_captured(payment: Payment) -> PaymentCaptured:
    """The money was taken."""
    return PaymentCaptured.of(_data(payment))


def payment_voided(payment: Payment) -> PaymentVoided:
    """The money was let go, or given back."""
    return PaymentVoided.of(_data(payment))


def payment_failed(payment: Payment) -> PaymentFailed:
    """There is no money to be had from this attempt."""
    return PaymentFailed.of(_data(payment))


PUBLISHERS: Final[Mapping[PaymentStatus, PaymentPublisher]] = {
    PaymentStatus.AUTHORIZED: payment_authorized,
    PaymentStatus.CAPTURED: payment_captured,
    PaymentStatus.VOIDED: payment_voided,
    PaymentStatus.FAILED: payment_failed,
}
"""The event of each status that others need to hear of."""


def payment_restated(payment: Payment) -> PaymentEvent:
    """The last thing that was told of it, once more. A KeyError when nothing was told yet."""
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
    )
