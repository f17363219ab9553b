"""What the payments service tells: money authorised, captured, released or refused."""

from enum import StrEnum

from pydantic import Field

from .envelope import Event, EventData, EventTime

__all__ = [
    "PaymentAuthorized",
    "PaymentCaptured",
    "PaymentData",
    "PaymentEvent",
    "PaymentFailed",
    "PaymentStatus",
    "PaymentVoided",
]


class PaymentStatus(StrEnum):
    """Where a payment stands."""

    INITIATED = "initiated"
    REQUIRES_ACTION = "requires_action"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    VOIDED = "voided"
    FAILED = "failed"


class PaymentData(EventData):
    """A payment. Money in integer cents."""

    order_id: str
    user_id: str
    amount_cents: int = Field(gt=0)
    currency: str
    status: PaymentStatus
    stripe_id: str | None = Field(description="the PaymentIntent; none when Stripe was never reached")
    created_at: EventTime


class PaymentEvent(Event):
    """Any fact about a payment."""

    data: PaymentData


class PaymentAuthorized(PaymentEvent):
    """The bank set the money aside; orders decides whether it is taken."""

    NAME = "payment.authorized"


class PaymentCaptured(PaymentEvent):
    """The money was taken for a complete order."""

    NAME = "payment.captured"


class PaymentVoided(PaymentEvent):
    """The authorisation was released, or what a lost race had captured was refunded."""

    NAME = "payment.voided"


class PaymentFailed(PaymentEvent):
    """Declined, or a capture was refused for good."""

    NAME = "payment.failed"
