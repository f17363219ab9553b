"""Events of the payments service: money authorised, captured, voided, declined, refunded or disputed."""

from enum import StrEnum

from pydantic import Field

from .envelope import Event, EventData, EventTime


class PaymentStatus(StrEnum):
    """Where a payment stands."""

    INITIATED = "initiated"
    REQUIRES_ACTION = "requires_action"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    VOIDED = "voided"
    FAILED = "failed"
    REFUNDED = "refunded"


class PaymentData(EventData):
    """A payment. Money in integer cents."""

    order_id: str
    user_id: str = Field(description="the buyer; empty in the record of an old payment")
    amount_cents: int = Field(gt=0)
    currency: str
    status: PaymentStatus
    stripe_id: str | None = Field(description="the PaymentIntent; none when Stripe was never reached")
    created_at: EventTime
    refunded_cents: int = Field(default=0, ge=0, description="how much of it went back, a lost dispute included")
    disputed: bool = Field(default=False, description="a dispute is open at the buyer's bank")


class PaymentEvent(Event):
    """Any fact about a payment."""

    data: PaymentData


class PaymentAuthorized(PaymentEvent):
    """The bank authorised the amount; orders decides whether it is captured."""

    NAME = "payment.authorized"


class PaymentCaptured(PaymentEvent):
    """The amount was captured for a complete order."""

    NAME = "payment.captured"


class PaymentVoided(PaymentEvent):
    """The authorisation was voided; no money was captured."""

    NAME = "payment.voided"


class PaymentFailed(PaymentEvent):
    """Declined, or a capture was refused for good."""

    NAME = "payment.failed"


class PaymentRefunded(PaymentEvent):
    """Captured money was returned: all of it (status `refunded`), or `refunded_cents` of it (status `captured`).

    Published again when `refunded_cents` changes; it decreases when a refund fails later.
    """

    NAME = "payment.refunded"


class PaymentDisputed(PaymentEvent):
    """A dispute was opened at the buyer's bank, or the last open one was closed: `disputed` says which."""

    NAME = "payment.disputed"
