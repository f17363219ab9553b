"""Converts Stripe's PaymentIntents, charges, disputes and errors to domain types.

PaymentIntents and their charges are read from the JSON of a response. Stripe's typed objects would take 0.2 to 0.6 ms
of CPU time for each response, more than ten times as much as the parser (measured).
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

import stripe

from ticketing_payments.domain import Decline, Intent, IntentState

Json: TypeAlias = Mapping[str, Any]
"""A JSON object of Stripe (https://docs.stripe.com/api/payment_intents/object). The double omits some fields."""

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


def intent_of(found: Json) -> Intent:
    """The state of a PaymentIntent. It shows only a full refund; `with_money` adds partial refunds and disputes.

    Raises `KeyError` without an id or a status.
    """
    # A status that this version does not know is treated as PROCESSING, so it is checked again later.
    state = _STATES.get(found["status"], IntentState.PROCESSING)
    decline = None
    if found["status"] == "requires_payment_method" and found.get("last_payment_error") is not None:
        state = IntentState.DECLINED
        decline = _reason(found["last_payment_error"])
    # `latest_charge` is an id, or the charge if the call expands it; the double always expands it.
    charge = found.get("latest_charge")
    if state is IntentState.CAPTURED and isinstance(charge, Mapping) and charge.get("refunded"):
        state = IntentState.REFUNDED
    return Intent(found["id"], state, found.get("client_secret"), decline)


def charge_of(found: Json) -> Json | None:
    """The charge of a captured PaymentIntent; None if there is none, or if the response has only its id."""
    charge = found.get("latest_charge")
    return charge if found["status"] == "succeeded" and isinstance(charge, Mapping) else None


def with_money(intent: Intent, found: Json, charge: Json, disputes: Iterable[stripe.Dispute]) -> Intent:
    """The intent with the part of the captured money that is no longer ours, and with its open disputes.

    Stripe counts the part that a partial capture left out as refunded; `amount_received` covers it in any case.
    """
    disputes = list(disputes)
    lost = sum(dispute.amount for dispute in disputes if dispute.status == "lost")
    kept = min(found["amount_received"], found["amount"] - charge["amount_refunded"]) - lost
    # A lost amount in the bank's currency may be less than ours, so a lost dispute counts as a full refund.
    gone = intent.state is IntentState.REFUNDED or kept <= 0 or lost > 0
    still_open = [dispute.status for dispute in disputes if dispute.status not in _CLOSED_DISPUTES]
    return replace(
        intent,
        state=IntentState.REFUNDED if gone else IntentState.CAPTURED,
        refunded_cents=found["amount"] - max(kept, 0),
        disputed=bool(still_open),
        withdrawn=any(status not in _INQUIRIES for status in still_open),
    )


def decline_of(error: stripe.StripeError) -> Decline:
    """Why Stripe refused. Only a card error has a message for the buyer; others name our parameters."""
    if not isinstance(error, stripe.CardError):
        return Decline(DECLINED_WITHOUT_REASON, error.code)
    body = error.json_body
    problem = body.get("error") if isinstance(body, Mapping) else None
    return _reason(problem if isinstance(problem, Mapping) else {})


def _reason(problem: Json) -> Decline:
    """The decline in an error object of Stripe. The double omits fields."""
    code = problem.get("decline_code") or problem.get("code")
    return Decline(problem.get("message") or DECLINED_WITHOUT_REASON, code)
