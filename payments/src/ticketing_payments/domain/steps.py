"""Chooses the next step at Stripe from the payment, the order and Stripe's latest state."""

from datetime import datetime
from enum import StrEnum

from ticketing_common.events import OrderData, OrderStatus, PaymentStatus
from ticketing_payments.errors import OrderForbiddenError, PaymentNotPossibleError

from .intents import OPEN_STATES, Intent, IntentState
from .payment import Payment


class Step(StrEnum):
    """A call to Stripe that a payment may need."""

    NOTHING = "nothing"
    CREATE = "create"
    ASK = "ask"
    CONFIRM = "confirm"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


def check_payable(order: OrderData, user_id: str, now: datetime) -> None:
    """Raise `OrderForbiddenError` or `PaymentNotPossibleError` unless this user may pay this order at `now` (UTC)."""
    if order.user_id != user_id:
        raise OrderForbiddenError(order.id)
    if order.status is OrderStatus.COMPLETE:
        raise PaymentNotPossibleError(f"Order {order.id} is already paid.")
    if order.status is OrderStatus.CANCELLED:
        raise PaymentNotPossibleError(f"Order {order.id} was cancelled. Nothing was charged.")
    if now >= order.expires_at:
        raise PaymentNotPossibleError(f"The hold of order {order.id} has expired. Nothing was charged.")


def next_step(payment: Payment, order: OrderData, intent: Intent | None, now: datetime) -> Step:
    """The next step at Stripe. `intent` is Stripe's latest state, or None before the first call; `now` is UTC.

    Authorise only while the hold runs. Capture only for a complete order. Void or refund what is left when the payment
    or the order is over.
    """
    match payment.status:
        case PaymentStatus.INITIATED | PaymentStatus.REQUIRES_ACTION:
            if order.status is not OrderStatus.CREATED or now >= order.expires_at:
                return Step.VOID
            if payment.stripe_id is None:
                return Step.CREATE
            if intent is None:
                return Step.ASK
            confirmable = intent.state is IntentState.UNCONFIRMED and payment.payment_method_id is not None
            return Step.CONFIRM if confirmable else Step.NOTHING
        case PaymentStatus.AUTHORIZED:
            if order.status is OrderStatus.CANCELLED:
                return Step.VOID
            if order.status is OrderStatus.COMPLETE:
                # `payment_id` names the only payment that may be captured.
                return Step.CAPTURE if order.payment_id in (None, payment.id) else Step.VOID
            return Step.NOTHING
        case PaymentStatus.CAPTURED:
            return Step.REFUND if order.status is OrderStatus.CANCELLED else Step.NOTHING
        case PaymentStatus.REFUNDED:
            # A failed refund needs an operator: the same refund would fail again.
            return Step.NOTHING
        case PaymentStatus.VOIDED | PaymentStatus.FAILED:
            if intent is None:
                return Step.NOTHING
            if intent.state is IntentState.CAPTURED:
                return Step.REFUND
            return Step.VOID if intent.state in OPEN_STATES else Step.NOTHING
