"""Converts Stripe's PaymentIntents, charges, disputes and errors to domain types."""

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
"""The bank has withdrawn no money yet (https://docs.stripe.com/disputes/how-disputes-work#inquiries)."""

DECLINED_WITHOUT_REASON: Final = "Your card was declined."


def intent_of(found: stripe.PaymentIntent) -> Intent:
    """The state of a PaymentIntent. It shows only a full refund; `with_money` adds partial refunds and disputes."""
    # A status that this version does not know is treated as PROCESSING, so it is checked again later.
    state = _STATES.get(found.status, IntentState.PROCESSING)
    decline = None
    if found.status == "requires_payment_method" and found.last_payment_error is not None:
        state = IntentState.DECLINED
        decline = _reason(found.last_payment_error)
    # `latest_charge` is an id, or the charge if the call expands it; the double always expands it.
    if state is IntentState.CAPTURED and getattr(found.latest_charge, "refunded", False):
        state = IntentState.REFUNDED
    return Intent(found.id, state, found.client_secret, decline)


def charge_of(found: stripe.PaymentIntent) -> stripe.Charge | None:
    """The charge of a captured PaymentIntent; None if there is none, or if the response has only its id."""
    charge = found.latest_charge
    return charge if found.status == "succeeded" and isinstance(charge, stripe.Charge) else None


def with_money(
    intent: Intent, found: stripe.PaymentIntent, charge: stripe.Charge, disputes: Iterable[stripe.Dispute]
) -> Intent:
    """The intent with the part of the captured money that is no longer ours, and with its open disputes.

    Stripe counts the part that a partial capture left out as refunded; `amount_received` covers it in any case.
    """
    disputes = list(disputes)
    lost = sum(dispute.amount for dispute in disputes if dispute.status == "lost")
    kept = min(found.amount_received, found.amount - charge.amount_refunded) - lost
    # A lost amount in the bank's currency may be less than ours, so a lost dispute counts as a full refund.
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
    """Why Stripe refused. Only a card error has a message for the buyer; others name our parameters."""
    return _reason(error.error) if isinstance(error, stripe.CardError) else Decline(DECLINED_WITHOUT_REASON, error.code)


def _reason(problem: object) -> Decline:
    """The decline in an error object of Stripe. The double omits fields."""
    code = getattr(problem, "decline_code", None) or getattr(problem, "code", None)
    return Decline(getattr(problem, "message", None) or DECLINED_WITHOUT_REASON, code)
