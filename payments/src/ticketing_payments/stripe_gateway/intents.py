"""From Stripe's PaymentIntents, charges, disputes and errors to our words."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

import stripe

from ticketing_payments.domain import Decline, Intent, IntentState

__all__ = ["charge_of", "decline_of", "intent_of", "with_money"]

_STATES: Final[Mapping[str, IntentState]] = {
    "requires_payment_method": IntentState.NEEDS_BUYER,
    "requires_confirmation": IntentState.UNCONFIRMED,
    "requires_action": IntentState.NEEDS_BUYER,
    "processing": IntentState.PROCESSING,
    "requires_capture": IntentState.AUTHORIZED,
    "succeeded": IntentState.CAPTURED,
    "canceled": IntentState.CANCELLED,
}
"""https://docs.stripe.com/payments/paymentintents/lifecycle"""

_CLOSED_DISPUTES: Final = frozenset({"won", "lost", "warning_closed", "prevented"})
_INQUIRIES: Final = frozenset({"warning_needs_response", "warning_under_review"})
"""The bank asks, and has taken no money yet (https://docs.stripe.com/disputes/how-disputes-work#inquiries)."""

DECLINED_WITHOUT_REASON: Final = "Your card was declined."


def intent_of(found: stripe.PaymentIntent) -> Intent:
    """A PaymentIntent as it came; of what went back it says nothing, unless all did."""
    # A state that is newer than our pinned version is waited out.
    state = _STATES.get(found.status, IntentState.PROCESSING)
    decline = None
    if found.status == "requires_payment_method" and found.last_payment_error is not None:
        state = IntentState.DECLINED
        decline = _reason(found.last_payment_error)
    # An id, or the whole charge where it was asked for; the double gives the whole always.
    if state is IntentState.CAPTURED and getattr(found.latest_charge, "refunded", False):
        state = IntentState.REFUNDED
    return Intent(found.id, state, found.client_secret, decline)


def charge_of(found: stripe.PaymentIntent) -> stripe.Charge | None:
    """The charge of a PaymentIntent whose money was captured; None when there is none, or only its id was given."""
    charge = found.latest_charge
    return charge if found.status == "succeeded" and isinstance(charge, stripe.Charge) else None


def with_money(
    intent: Intent, found: stripe.PaymentIntent, charge: stripe.Charge, disputes: Iterable[stripe.Dispute]
) -> Intent:
    """With what is no longer ours of the captured money, and what the buyer's bank says of it.

    Stripe counts as refunded what a partial capture left out; `amount_received` makes sure of it.
    """
    disputes = list(disputes)
    lost = sum(dispute.amount for dispute in disputes if dispute.status == "lost")
    kept = min(found.amount_received, found.amount - charge.amount_refunded) - lost
    # An amount in the bank's own currency may fall short of ours, so the decision itself ends the payment.
    gone = intent.state is IntentState.REFUNDED or kept <= 0 or lost > 0
    still_open = [dispute.status for dispute in disputes if dispute.status not in _CLOSED_DISPUTES]
    return replace(
        intent,
        state=IntentState.REFUNDED if gone else IntentState.CAPTURED,
        refunded_cents=found.amount - max(kept, 0),
        disputed=bool(still_open),
        withdrawn=any(status not in _INQUIRIES for status in still_open),
    )


def decline_of(error: stripe.StripeError) -> Decline:
    """Why Stripe refused; only a card's error is written for the person, any other speaks of our parameters."""
    return _reason(error.error) if isinstance(error, stripe.CardError) else Decline(DECLINED_WITHOUT_REASON, error.code)


def _reason(problem: object) -> Decline:
    """From an error object of Stripe's; the double leaves fields out."""
    code = getattr(problem, "decline_code", None) or getattr(problem, "code", None)
    return Decline(getattr(problem, "message", None) or DECLINED_WITHOUT_REASON, code)
