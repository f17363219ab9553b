"""The changes of a payment, and their log lines and metrics."""

from collections.abc import Callable

from ticketing_common.events import PaymentStatus
from ticketing_common.telemetry import get_logger
from ticketing_common.telemetry.metrics import CAPTURED_CENTS, REFUNDED_CENTS
from ticketing_payments.domain import METHOD_REFUSED, OUR_FAULT, Decline, Intent, Payment
from ticketing_payments.errors import CardDeclinedError, PaymentMethodRefusedError, StripeRequestRefusedError

log = get_logger(__name__)


def note_change(before: Payment, after: Payment) -> None:
    """Log and count a change. Call it once after each write, so that each amount is counted once."""
    names = {"payment_id": after.id, "order_id": after.order_id}
    if after.status is not before.status:
        log.info("payment status changed", **names, status=after.status.value)
        # A payment captured and refunded at Stripe by hand may go to REFUNDED directly; the capture counts then, too.
        captured = (PaymentStatus.CAPTURED, PaymentStatus.REFUNDED)
        if after.status in captured and before.status not in captured:
            CAPTURED_CENTS.labels(after.currency).inc(after.amount_cents)
    difference = after.refunded_cents - before.refunded_cents
    if difference > 0:
        REFUNDED_CENTS.labels(after.currency).inc(difference)
        log.info("payment refunded", **names, cents=difference, refunded_cents=after.refunded_cents)
    elif difference < 0:
        log.error("refund failed or reversed", **names, cents=-difference, refunded_cents=after.refunded_cents)
    if after.disputed != before.disputed:
        log.warning("dispute opened" if after.disputed else "dispute closed", **names)


def apply_intent(intent: Intent | None, *, released: bool) -> Callable[[Payment], bool]:
    """Apply Stripe's state. `intent` is None if Stripe has no PaymentIntent; `released`: we voided it ourselves."""
    if intent is None:
        return Payment.abandon
    return lambda payment: payment.follow(intent, released=released)


def void(seen: PaymentStatus) -> Callable[[Payment], bool]:
    """Void an attempt, unless its status is no longer `seen`."""
    return lambda payment: payment.status is seen and payment.void()


def refuse_with(
    refusal: CardDeclinedError | PaymentMethodRefusedError | StripeRequestRefusedError,
) -> Callable[[Payment], bool]:
    """End an attempt that Stripe refused to start. The decline's code records the cause."""
    match refusal:
        case CardDeclinedError():
            code = refusal.code
        case PaymentMethodRefusedError():
            code = METHOD_REFUSED
        case _:
            code = OUR_FAULT
    return lambda payment: payment.refuse(Decline(refusal.detail, code))
