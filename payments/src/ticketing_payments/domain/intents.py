"""Stripe's PaymentIntents, declines and events as domain types."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class IntentState(StrEnum):
    """The state of a PaymentIntent at Stripe."""

    UNCONFIRMED = "unconfirmed"  # it has a card, and the bank has not been asked
    NEEDS_BUYER = "needs_buyer"  # 3-D Secure, or a card to be entered in the browser
    PROCESSING = "processing"
    DECLINED = "declined"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    REFUNDED = "refunded"  # in full, or by a lost dispute
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
"""States in which money is authorised or can still move."""

MONEY_BACK: Final = (
    *("charge.refunded", "charge.refund.updated", "refund.created", "refund.updated", "refund.failed"),
    *("charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed"),
    *("charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated"),
)
"""Event types of refunds and disputes, from us, the dashboard or a bank (https://docs.stripe.com/api/events/types)."""


@dataclass(frozen=True, slots=True)
class Decline:
    """Why the bank declined: Stripe's message for the buyer, and its code for this service."""

    message: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """Stripe's state of one PaymentIntent. A `decline` with state AUTHORIZED means that a capture failed permanently.

    `refunded_cents` is the part that is no longer ours: refunds, lost disputes, and the part that was not captured. It
    is None if Stripe's response does not contain it. `disputed`: a dispute or an inquiry is open. `withdrawn`: the bank
    holds the money during the dispute, and Stripe refuses a refund.
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
    """An event of Stripe, from a signed webhook or from Stripe's list. `created` is in Unix seconds.

    An event about a PaymentIntent names our payment in its metadata. An event about a refund or a dispute names the
    PaymentIntent, or only the charge. An event with none of these does not concern a payment of this service.
    `applied` is set for an event that was stored as applied, since it tells nothing new.
    """

    id: str
    type: str
    payment_id: str | None = None
    intent_id: str | None = None
    charge_id: str | None = None
    created: int = field(default=0, compare=False)
    applied: bool = field(default=False, compare=False)

    @property
    def names_payment(self) -> bool:
        """Whether the event names a payment, a PaymentIntent or a charge."""
        return (self.payment_id or self.intent_id or self.charge_id) is not None

    @property
    def money_back(self) -> bool:
        """Whether the event is about a refund or a dispute."""
        return self.type in MONEY_BACK
