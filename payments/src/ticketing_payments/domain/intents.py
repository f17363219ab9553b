"""What Stripe says, in our words."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

__all__ = ["OPEN_STATES", "Decline", "Intent", "IntentState", "StripeEvent"]


class IntentState(StrEnum):
    """Where a PaymentIntent stands at Stripe, in our words."""

    UNCONFIRMED = "unconfirmed"  # it has a card, and nobody has asked the bank
    NEEDS_BUYER = "needs_buyer"  # 3-D Secure, or a card to be entered in the browser
    PROCESSING = "processing"
    DECLINED = "declined"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"


OPEN_STATES: Final = frozenset(
    {
        IntentState.UNCONFIRMED,
        IntentState.NEEDS_BUYER,
        IntentState.PROCESSING,
        IntentState.DECLINED,
        IntentState.AUTHORIZED,
    }
)
"""From these money can still move, or is set aside."""


@dataclass(frozen=True, slots=True)
class Decline:
    """Why the bank said no: Stripe's sentence for the person, and its code for us."""

    message: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """What Stripe says about one PaymentIntent. `decline` beside AUTHORIZED: a capture was refused for good."""

    id: str
    state: IntentState
    client_secret: str | None = field(default=None, repr=False)
    decline: Decline | None = None


@dataclass(frozen=True, slots=True)
class StripeEvent:
    """A webhook that was signed by Stripe; `payment_id` is None when it concerns none of ours."""

    id: str
    type: str
    payment_id: str | None
