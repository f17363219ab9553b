"""The changes of a payment that are stored, and what is logged and counted of them."""

from collections.abc import Callable

from ticketing_common.events import PaymentStatus
from ticketing_common.telemetry import get_logger
from ticketing_common.telemetry.metrics import CAPTURED_CENTS, REFUNDED_CENTS
from ticketing_payments.domain import METHOD_REFUSED, OUR_FAULT, Decline, Intent, Payment
from ticketing_payments.errors import CardDeclinedError, PaymentMethodRefusedError, StripeRequestRefusedError

__all__ = ["apply_intent", "note_change", "refused", "void"]

log = get_logger(__name__)


def note_change(before: Payment, after: Payment) -> None:
    """Call it once after each write, and it counts money once; nothing when nothing changed."""
    names = {"payment_id": after.id, "order_id": after.order_id}
    if after.status is not before.status:
        log.info("payment moved", **names, status=after.status.value)
        # Captured and refunded by hand at Stripe, before either was known here, is both at once.
        taken = (PaymentStatus.CAPTURED, PaymentStatus.REFUNDED)
        if after.status in taken and before.status not in taken:
            CAPTURED_CENTS.labels(after.currency).inc(after.amount_cents)
    difference = after.refunded_cents - before.refunded_cents
    if difference > 0:
        REFUNDED_CENTS.labels(after.currency).inc(difference)
        log.info("money went back", **names, cents=difference, refunded_cents=after.refunded_cents)
    elif difference < 0:
        log.error("a refund failed or was taken back", **names, cents=-difference, refunded_cents=after.refunded_cents)
    if after.disputed != before.disputed:
        log.warning("dispute opened" if after.disputed else "dispute closed", **names)


def apply_intent(intent: Intent | None, *, released: bool) -> Callable[[Payment], bool]:
    """Follow what Stripe said; None when it was never reached. `released` says that we let the money go."""
    if intent is None:
        return Payment.abandon
    return lambda payment: payment.follow(intent, released=released)


def void(seen: PaymentStatus) -> Callable[[Payment], bool]:
    """Let go of an attempt, unless it has moved on from the status that was seen."""
    return lambda payment: payment.status is seen and payment.void()


def refused(
    refusal: CardDeclinedError | PaymentMethodRefusedError | StripeRequestRefusedError,
) -> Callable[[Payment], bool]:
    """End an attempt that Stripe would not begin; the code keeps whose fault it was."""
    match refusal:
        case CardDeclinedError():
            code = refusal.code
        case PaymentMethodRefusedError():
            code = METHOD_REFUSED
        case _:
            code = OUR_FAULT
    return lambda payment: payment.refuse(Decline(refusal.detail, code))
