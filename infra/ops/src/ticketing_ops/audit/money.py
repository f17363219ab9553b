"""Checks of the money of one order: what its row, its payments and Stripe say of each other.

Where Stripe's word was read it counts, and not the row's. Each fact is named once: what one rule names is left out by
the rules after it.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from .cases import OrderCase
from .invariants import Finding, Moment
from .rows import PaymentRow
from .stripe_intents import Intent

__all__ = [
    "authorization_not_voided",
    "captured_without_order",
    "charged_twice",
    "complete_not_captured",
    "complete_refunded",
    "complete_without_payment",
    "dispute_open",
    "intent_unknown",
    "paid_other_price",
    "payment_disagrees_with_stripe",
    "refunded_in_part",
]

PAID: Final = ("authorized", "captured")
OVER: Final = ("voided", "failed", "refunded")
GRACES_OF_A_LOST_WEBHOOK: Final = 5
"""Payments reads Stripe's list of refunds and disputes every 30 s, which is several times the usual grace of 10 s."""
RECONCILER_ROUND: Final = timedelta(seconds=15)
"""Payments looks at what is due every few seconds; what a buyer has just done in the browser is heard of then."""


def _wanted(case: OrderCase, payment: PaymentRow) -> bool:
    """Whether the order is complete by this payment: then, and only then, its money is ours."""
    order = case.order
    return order is not None and order.status == "complete" and order.payment_id in (None, payment.id)


def _captured(case: OrderCase, payment: PaymentRow) -> bool:
    intent = case.intent(payment)
    return payment.status == "captured" if intent is None else intent.captured


def _authorized(case: OrderCase, payment: PaymentRow) -> bool:
    intent = case.intent(payment)
    return payment.status == "authorized" if intent is None else intent.authorized


def _settled(case: OrderCase, moment: Moment) -> bool:
    """Nothing of this order has changed for a grace, so nothing about it is on its way."""
    return moment.settled(case.order and case.order.updated_at, *(payment.updated_at for payment in case.payments))


def _charges(case: OrderCase) -> set[str]:
    """The PaymentIntents that took money for this order; a captured row stands for one that was not read."""
    charges = {intent.id for intent in case.named_intents if intent.captured}
    return charges | {payment.stripe_id or payment.id for payment in case.payments if _captured(case, payment)}


def _unwanted(case: OrderCase) -> bool:
    """Whether the order is over, or never was."""
    return case.order is None or case.order.status == "cancelled"


def complete_without_payment(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """An authorisation is enough here: that it is captured is another rule."""
    order = case.order
    if order is None or order.status != "complete":
        return
    # One whose money went back is named by another rule.
    had = (*PAID, "refunded")
    paid = any(payment.status in had and _wanted(case, payment) for payment in case.payments)
    if not paid and _settled(case, moment):
        seen = ", ".join(f"{payment.id} {payment.status}" for payment in case.payments) or "none"
        yield Finding.of("complete_without_payment", f"its payments: {seen}", order=order.id, payment=order.payment_id)


def paid_other_price(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """By the row; that Stripe's amount is the row's is another rule."""
    order = case.order
    if order is None:
        return
    for payment in case.payments:
        same = (payment.amount_cents, payment.currency.lower()) == (order.total_cents, order.currency.lower())
        if not same and payment.status in PAID and _wanted(case, payment) and _settled(case, moment):
            said = f"placed at {order.total_cents} {order.currency}, paid {payment.amount_cents} {payment.currency}"
            yield Finding.of("paid_other_price", said, order=order.id, payment=payment.id)


def complete_not_captured(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """The money is set aside, wanted, and nobody takes it."""
    for payment in case.payments:
        waits = payment.status == "authorized" and _wanted(case, payment) and _authorized(case, payment)
        if waits and _settled(case, moment):
            yield Finding.of(
                *("complete_not_captured", "complete, and its payment is only authorised"),
                order=case.id,
                payment=payment.id,
                intent=payment.stripe_id,
            )


def charged_twice(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """More than one PaymentIntent took money, and none of the surplus was given back."""
    if len(case.payments) + len(case.named_intents) < 2:
        return
    charges = sorted(_charges(case))
    if len(charges) > 1 and _settled(case, moment):
        ids = {f"intent_{number}": charge for number, charge in enumerate(charges, start=1)}
        yield Finding.of("charged_twice", f"{len(charges)} captured PaymentIntents", order=case.id, **ids)


def captured_without_order(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """Money was taken for an order that is not complete by it, and was not given back."""
    for payment in case.payments:
        surplus = _captured(case, payment) and not _wanted(case, payment)
        if surplus and len(_charges(case)) == 1 and _settled(case, moment):
            order = case.order.status if case.order is not None else "missing"
            yield Finding.of(
                *("captured_without_order", f"money was taken, and the order is {order}"),
                order=case.id,
                payment=payment.id,
                intent=payment.stripe_id,
            )


def authorization_not_voided(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """Money is set aside for an order that is over, or complete by another payment."""
    complete_by_another = case.order is not None and case.order.status == "complete"
    for payment in case.payments:
        unwanted = not _wanted(case, payment) and (_unwanted(case) or complete_by_another)
        if unwanted and _authorized(case, payment) and _settled(case, moment):
            order = case.order.status if case.order is not None else "missing"
            yield Finding.of(
                *("authorization_not_voided", f"money is set aside, and the order is {order}"),
                order=case.id,
                payment=payment.id,
                intent=payment.stripe_id,
            )


def intent_unknown(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """A PaymentIntent that names a payment which does not exist, or moved money beside the one that its row names."""
    if not case.named_intents:
        return
    rows = {payment.id: payment for payment in case.payments}
    double = len(_charges(case)) > 1
    for intent in case.named_intents:
        row = rows.get(intent.payment_id)
        if (double and intent.captured) or intent.state in ("canceled", "refunded"):
            continue
        if row is None:
            said = f"{intent.state}, and payment {intent.payment_id} does not exist"
        elif row.stripe_id != intent.id and (intent.captured or intent.authorized):
            said = f"{intent.state}, and payment {row.id} names {row.stripe_id or 'none'}"
        else:
            continue
        if moment.settled(intent.created, row and row.updated_at):
            yield Finding.of("intent_unknown", said, intent=intent.id, order=case.id, payment=intent.payment_id)


def complete_refunded(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """The order is complete, and its money went back: by a refund at Stripe, or a lost dispute."""
    for payment in case.payments:
        intent = case.intent(payment)
        gone = payment.status == "refunded" and not (intent is not None and intent.captured)
        if gone and _wanted(case, payment) and _settled(case, moment):
            yield Finding.of(
                *("complete_refunded", f"{payment.refunded_cents} of {payment.amount_cents} cents went back"),
                order=case.id,
                payment=payment.id,
                intent=payment.stripe_id,
            )


def refunded_in_part(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """The order is complete, and a part of its price went back."""
    for payment in case.payments:
        intent = case.intent(payment)
        agreed = intent is None or (intent.captured and intent.refunded_cents == payment.refunded_cents)
        part = payment.status == "captured" and payment.refunded_cents > 0 and agreed
        if part and _wanted(case, payment) and _settled(case, moment):
            yield Finding.of(
                *("refunded_in_part", f"{payment.refunded_cents} of {payment.amount_cents} cents went back"),
                order=case.id,
                payment=payment.id,
                intent=payment.stripe_id,
            )


def dispute_open(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """The buyer's bank asks for the money, or for a reason."""
    for payment in case.payments:
        if payment.disputed and _disputed(payment, case.intent(payment)) and _settled(case, moment):
            yield Finding.of(
                *("dispute_open", f"{payment.amount_cents} {payment.currency}, {payment.status}"),
                order=case.id,
                payment=payment.id,
                intent=payment.stripe_id,
            )


def _disputed(payment: PaymentRow, intent: Intent | None) -> bool:
    """Stripe's word, where a dispute was read; the row's otherwise."""
    return payment.disputed if intent is None or intent.moved_at is None else intent.disputed


def _heard_of(case: OrderCase, payment: PaymentRow, moment: Moment) -> bool:
    """Whether payments had its time to hear of what was done at Stripe, by a webhook or without one."""
    intent = case.intent(payment)
    moved_at = intent.moved_at if intent is not None else None
    return _settled(case, moment) and moment.settled(moved_at and moved_at + GRACES_OF_A_LOST_WEBHOOK * moment.grace)


def payment_disagrees_with_stripe(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """The row and Stripe's word differ in a way that no rule above has named."""
    for payment in case.payments:
        intent = case.intent(payment)
        said = (
            _missing(case, payment)
            if intent is None
            else _disagreement(case, payment, intent, heard_of=_reconciled(payment, moment))
        )
        if said is not None and len(_charges(case)) <= 1 and _heard_of(case, payment, moment):
            yield Finding.of(
                *("payment_disagrees_with_stripe", said), payment=payment.id, order=case.id, intent=payment.stripe_id
            )


def _missing(case: OrderCase, payment: PaymentRow) -> str | None:
    if payment.stripe_id is None or payment.status in OVER or not case.intents.covers(payment):
        return None
    return f"{payment.status} here, and Stripe knows no such PaymentIntent"


def _reconciled(payment: PaymentRow, moment: Moment) -> bool:
    """Whether payments had its turn to ask Stripe about it, or sees no reason to."""
    return payment.check_at is None or moment.settled(payment.check_at + RECONCILER_ROUND)


def _disagreement(case: OrderCase, payment: PaymentRow, intent: Intent, *, heard_of: bool) -> str | None:
    if (intent.amount, intent.currency.lower()) != (payment.amount_cents, payment.currency.lower()):
        return f"{payment.amount_cents} {payment.currency} here, {intent.amount} {intent.currency} in Stripe"
    if not _wanted(case, payment) and (intent.captured or (intent.authorized and _unwanted(case))):
        return None  # captured_without_order, authorization_not_voided
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
            # What never became money may stay open for a while: the reconciler closes it, and nothing can come of it.
            agrees = not (intent.captured or intent.authorized)
        case _:
            agrees = not (intent.captured or intent.authorized) or not heard_of
    return None if agrees else f"{payment.status} here, {intent.state} in Stripe"
