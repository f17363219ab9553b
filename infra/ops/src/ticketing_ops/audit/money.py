"""Checks of the money of one order: its row, its payments and Stripe must agree.

Where a PaymentIntent was read, Stripe's state counts and not the row's. Each fact is reported once: a check ignores
what an earlier check reports.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from .cases import OrderCase
from .invariants import Finding, Moment
from .rows import PaymentRow
from .stripe_intents import Intent

PAID: Final = ("authorized", "captured")
OVER: Final = ("voided", "failed", "refunded")
GRACES_OF_A_LOST_WEBHOOK: Final = 5
"""Payments reads Stripe's lists of refunds and disputes every 30 s, several times the default grace of 10 s."""
RECONCILER_ROUND: Final = timedelta(seconds=15)
"""The reconciler of payments checks due payments every few seconds, and finds the buyer's last step in the browser."""


def _wanted(case: OrderCase, payment: PaymentRow) -> bool:
    """Whether this payment completed the order: only then may it be captured."""
    order = case.order
    return order is not None and order.status == "complete" and order.payment_id in (None, payment.id)


def _captured(case: OrderCase, payment: PaymentRow) -> bool:
    intent = case.intent(payment)
    return payment.status == "captured" if intent is None else intent.captured


def _authorized(case: OrderCase, payment: PaymentRow) -> bool:
    intent = case.intent(payment)
    return payment.status == "authorized" if intent is None else intent.authorized


def _settled(case: OrderCase, moment: Moment) -> bool:
    """Whether the order and its payments were unchanged for the grace, so that none of their events is in transit."""
    return moment.settled(case.order and case.order.updated_at, *(payment.updated_at for payment in case.payments))


def _charges(case: OrderCase) -> set[str]:
    """The captured PaymentIntents of this order; a captured row stands for one that was not read."""
    charges = {intent.id for intent in case.named_intents if intent.captured}
    return charges | {payment.stripe_id or payment.id for payment in case.payments if _captured(case, payment)}


def _unwanted(case: OrderCase) -> bool:
    """Whether the order is cancelled or does not exist."""
    return case.order is None or case.order.status == "cancelled"


def _about(case: OrderCase, payment: PaymentRow, invariant: str, detail: str) -> Finding:
    return Finding.of(invariant, detail, order=case.id, payment=payment.id, intent=payment.stripe_id)


def complete_without_payment(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """A complete order has no payment. An authorisation is enough here: the capture is another invariant."""
    order = case.order
    if order is None or order.status != "complete":
        return
    # A refunded payment violates another invariant.
    had = (*PAID, "refunded")
    paid = any(payment.status in had and _wanted(case, payment) for payment in case.payments)
    if not paid and _settled(case, moment):
        seen = ", ".join(f"{payment.id} {payment.status}" for payment in case.payments) or "none"
        yield Finding.of("complete_without_payment", f"its payments: {seen}", order=order.id, payment=order.payment_id)


def paid_other_price(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """The amount of the payment's row is not the order's price. Stripe's amount is another invariant."""
    order = case.order
    if order is None:
        return
    for payment in case.payments:
        same = (payment.amount_cents, payment.currency.lower()) == (order.total_cents, order.currency.lower())
        if not same and payment.status in PAID and _wanted(case, payment) and _settled(case, moment):
            detail = f"placed at {order.total_cents} {order.currency}, paid {payment.amount_cents} {payment.currency}"
            yield Finding.of("paid_other_price", detail, order=order.id, payment=payment.id)


def complete_not_captured(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """The order is complete, and its payment is authorised but not captured."""
    for payment in case.payments:
        waits = payment.status == "authorized" and _wanted(case, payment) and _authorized(case, payment)
        if waits and _settled(case, moment):
            yield _about(case, payment, "complete_not_captured", "complete, and its payment is only authorised")


def charged_twice(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """More than one PaymentIntent of the order is captured and not refunded."""
    if len(case.payments) + len(case.named_intents) < 2:
        return
    charges = sorted(_charges(case))
    if len(charges) > 1 and _settled(case, moment):
        ids = {f"intent_{number}": charge for number, charge in enumerate(charges, start=1)}
        yield Finding.of("charged_twice", f"{len(charges)} captured PaymentIntents", order=case.id, **ids)


def captured_without_order(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """A payment that did not complete the order is captured and not refunded."""
    for payment in case.payments:
        surplus = _captured(case, payment) and not _wanted(case, payment)
        if surplus and len(_charges(case)) == 1 and _settled(case, moment):
            order = case.order.status if case.order is not None else "missing"
            yield _about(case, payment, "captured_without_order", f"captured, and the order is {order}")


def authorization_not_voided(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """A payment is authorised for an order that is cancelled, or that another payment completed."""
    complete_by_another = case.order is not None and case.order.status == "complete"
    for payment in case.payments:
        unwanted = not _wanted(case, payment) and (_unwanted(case) or complete_by_another)
        if unwanted and _authorized(case, payment) and _settled(case, moment):
            order = case.order.status if case.order is not None else "missing"
            yield _about(case, payment, "authorization_not_voided", f"authorised, and the order is {order}")


def intent_unknown(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """A PaymentIntent names a payment that does not exist, or moved money although the payment's row names another."""
    if not case.named_intents:
        return
    rows = {payment.id: payment for payment in case.payments}
    double = len(_charges(case)) > 1
    for intent in case.named_intents:
        row = rows.get(intent.payment_id)
        if (double and intent.captured) or intent.state in ("canceled", "refunded"):
            continue
        if row is None:
            detail = f"{intent.state}, and payment {intent.payment_id} does not exist"
        elif row.stripe_id != intent.id and (intent.captured or intent.authorized):
            detail = f"{intent.state}, and payment {row.id} names {row.stripe_id or 'none'}"
        else:
            continue
        if moment.settled(intent.created, row and row.updated_at):
            yield Finding.of("intent_unknown", detail, intent=intent.id, order=case.id, payment=intent.payment_id)


def complete_refunded(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """The order is complete, and its payment was refunded at Stripe or lost in a dispute."""
    for payment in case.payments:
        intent = case.intent(payment)
        gone = payment.status == "refunded" and not (intent is not None and intent.captured)
        if gone and _wanted(case, payment) and _settled(case, moment):
            yield _about(
                case,
                payment,
                "complete_refunded",
                f"{payment.refunded_cents} of {payment.amount_cents} cents went back",
            )


def refunded_in_part(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """The order is complete, and a part of its price was refunded."""
    for payment in case.payments:
        intent = case.intent(payment)
        agreed = intent is None or (intent.captured and intent.refunded_cents == payment.refunded_cents)
        part = payment.status == "captured" and payment.refunded_cents > 0 and agreed
        if part and _wanted(case, payment) and _settled(case, moment):
            yield _about(
                case, payment, "refunded_in_part", f"{payment.refunded_cents} of {payment.amount_cents} cents went back"
            )


def dispute_open(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """The buyer's bank has opened a dispute about the payment."""
    for payment in case.payments:
        if payment.disputed and _disputed(payment, case.intent(payment)) and _settled(case, moment):
            yield _about(case, payment, "dispute_open", f"{payment.amount_cents} {payment.currency}, {payment.status}")


def _disputed(payment: PaymentRow, intent: Intent | None) -> bool:
    """Stripe's value, where a refund or dispute was read; the row's otherwise."""
    return payment.disputed if intent is None or intent.moved_at is None else intent.disputed


def _received(case: OrderCase, payment: PaymentRow, moment: Moment) -> bool:
    """Whether payments had enough time to receive the last change at Stripe, by a webhook or from Stripe's lists."""
    intent = case.intent(payment)
    moved_at = intent.moved_at if intent is not None else None
    return _settled(case, moment) and moment.settled(moved_at and moved_at + GRACES_OF_A_LOST_WEBHOOK * moment.grace)


def payment_disagrees_with_stripe(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """The row and Stripe differ in a way that no check above reports."""
    for payment in case.payments:
        intent = case.intent(payment)
        detail = (
            _missing(case, payment)
            if intent is None
            else _disagreement(case, payment, intent, reconciled=_reconciled(payment, moment))
        )
        if detail is not None and len(_charges(case)) <= 1 and _received(case, payment, moment):
            yield Finding.of(
                *("payment_disagrees_with_stripe", detail), payment=payment.id, order=case.id, intent=payment.stripe_id
            )


def _missing(case: OrderCase, payment: PaymentRow) -> str | None:
    if payment.stripe_id is None or payment.status in OVER or not case.intents.covers(payment):
        return None
    return f"{payment.status} here, and Stripe knows no such PaymentIntent"


def _reconciled(payment: PaymentRow, moment: Moment) -> bool:
    """Whether the reconciler had enough time to call Stripe about the payment, or has no reason to."""
    return payment.check_at is None or moment.settled(payment.check_at + RECONCILER_ROUND)


def _disagreement(case: OrderCase, payment: PaymentRow, intent: Intent, *, reconciled: bool) -> str | None:
    if (intent.amount, intent.currency.lower()) != (payment.amount_cents, payment.currency.lower()):
        return f"{payment.amount_cents} {payment.currency} here, {intent.amount} {intent.currency} in Stripe"
    if not _wanted(case, payment) and (intent.captured or (intent.authorized and _unwanted(case))):
        return None  # reported by captured_without_order or authorization_not_voided
    money = payment.status in ("captured", "refunded") and (intent.captured or intent.gone)
    disputed = _disputed(payment, intent)
    if money and (payment.refunded_cents, payment.disputed) != (intent.refunded_cents, disputed):
        here = f"{payment.status}, {payment.refunded_cents} cents went back here, {intent.refunded_cents} in Stripe"
        return f"{here}; disputed here: {payment.disputed}, in Stripe: {disputed}"
    match payment.status:
        case "captured":
            agrees = intent.captured
        case "refunded":
            agrees = intent.gone
        case "authorized":
            agrees = intent.authorized
        case "voided" | "failed":
            # An unpaid PaymentIntent may stay open for a while: the reconciler cancels it, and it takes no money.
            agrees = not (intent.captured or intent.authorized)
        case _:
            agrees = not (intent.captured or intent.authorized) or not reconciled
    return None if agrees else f"{payment.status} here, {intent.state} in Stripe"
