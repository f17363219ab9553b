"""What Stripe says, in our words."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

__all__ = ["MONEY_BACK", "OPEN_STATES", "Decline", "Intent", "IntentState", "StripeEvent"]


class IntentState(StrEnum):
    """Where a PaymentIntent stands at Stripe, in our words."""

    UNCONFIRMED = "unconfirmed"  # it has a card, and nobody has asked the bank
    NEEDS_BUYER = "needs_buyer"  # 3-D Secure, or a card to be entered in the browser
    PROCESSING = "processing"
    DECLINED = "declined"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    REFUNDED = "refunded"  # all of it, or the bank decided a dispute against us
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

MONEY_BACK: Final = (
    *("charge.refunded", "charge.refund.updated", "refund.created", "refund.updated", "refund.failed"),
    *("charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed"),
    *("charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated"),
)
"""Webhooks of refunds and disputes, made by us, in the dashboard or by a bank (https://docs.stripe.com/api/events/types)."""


@dataclass(frozen=True, slots=True)
class Decline:
    """Why the bank said no: Stripe's sentence for the person, and its code for us."""

    message: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """What Stripe says about one PaymentIntent. `decline` beside AUTHORIZED: a capture was refused for good.

    `refunded_cents` is what is no longer with us: refunds, lost disputes, and what was not captured; None when the
    answer did not tell. `disputed`: a dispute or an inquiry is open. `withdrawn`: it has taken the money meanwhile, and
    Stripe refuses a refund.
    """

    id: str
    state: IntentState
    client_secret: str | None = field(default=None, repr=False)
    decline: Decline | None = None
    refunded_cents: int | None = None
    disputed: bool = False
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class StripeEvent:
    """An event of Stripe's, from a signed webhook or from its list; `created` is in Unix seconds.

    An event about a PaymentIntent names our payment in its metadata. A refund or a dispute names the PaymentIntent, or
    only the charge. An event with none of these is not about a payment of ours.
    """

    id: str
    type: str
    payment_id: str | None = None
    intent_id: str | None = None
    charge_id: str | None = None
    created: int = field(default=0, compare=False)

    @property
    def money_back(self) -> bool:
        """Whether it is about a refund or a dispute."""
        return self.type in MONEY_BACK
