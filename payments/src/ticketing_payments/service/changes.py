"""What is logged and counted of a stored change of a payment."""

from ticketing_common.events import PaymentStatus
from ticketing_common.telemetry import get_logger
from ticketing_common.telemetry.metrics import CAPTURED_CENTS, REFUNDED_CENTS
from ticketing_payments.domain import Payment

__all__ = ["note_change"]

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
