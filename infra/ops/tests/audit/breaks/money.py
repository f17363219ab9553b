"""Violations about payments, captured money and Stripe."""

from ticketing_common.entity import new_id, utc_now

from ..marketplace import PRICE, Marketplace
from .registry import breaks


@breaks("complete_without_payment")
def complete_without_payment(marketplace: Marketplace) -> None:
    marketplace.order(
        "complete", marketplace.ticket("available", None, key=marketplace.held), key=marketplace.held_order
    )
    marketplace.ticket("sold", marketplace.held_order, key=marketplace.held)


@breaks("complete_without_payment")
def complete_by_another_orders_payment(marketplace: Marketplace) -> None:
    marketplace.order("complete", marketplace.held, key=marketplace.held_order, payment=marketplace.payment)
    marketplace.ticket("sold", marketplace.held_order, key=marketplace.held)


@breaks("paid_other_price")
def paid_other_price(marketplace: Marketplace) -> None:
    for service in ("orders", "tickets", "payments"):
        marketplace.change(service, "orders", marketplace.paid_order, **{"ticket.price_cents": PRICE + 1})


@breaks("paid_other_price")
def paid_in_another_currency(marketplace: Marketplace) -> None:
    marketplace.change("orders", "orders", marketplace.paid_order, **{"ticket.currency": "eur"})


@breaks("complete_not_captured")
def complete_not_captured(marketplace: Marketplace) -> None:
    payment = new_id()
    intent = marketplace.authorized_intent(marketplace.held_order, payment)
    marketplace.pay(marketplace.held_order, "authorized", intent, key=payment)
    marketplace.order("complete", marketplace.held, key=marketplace.held_order, payment=payment)
    marketplace.ticket("sold", marketplace.held_order, key=marketplace.held)


@breaks("captured_without_order")
def captured_for_a_cancelled_order(marketplace: Marketplace) -> None:
    payment = new_id()
    intent = marketplace.captured_intent(marketplace.cancelled_order, payment)
    marketplace.pay(marketplace.cancelled_order, "captured", intent, key=payment, attempt=2)


@breaks("captured_without_order")
def captured_in_stripe_for_a_voided_payment(marketplace: Marketplace) -> None:
    intent = marketplace.captured_intent(marketplace.cancelled_order, marketplace.voided)
    marketplace.change("payments", "payments", marketplace.voided, stripe_id=intent)


@breaks("captured_without_order")
def captured_while_the_order_is_unpaid(marketplace: Marketplace) -> None:
    payment = new_id()
    marketplace.pay(
        marketplace.held_order, "captured", marketplace.captured_intent(marketplace.held_order, payment), key=payment
    )


@breaks("authorization_not_voided")
def authorized_for_a_cancelled_order(marketplace: Marketplace) -> None:
    payment = new_id()
    intent = marketplace.authorized_intent(marketplace.cancelled_order, payment)
    marketplace.pay(marketplace.cancelled_order, "authorized", intent, key=payment, attempt=2)


@breaks("authorization_not_voided")
def authorized_in_stripe_for_a_voided_payment(marketplace: Marketplace) -> None:
    intent = marketplace.authorized_intent(marketplace.cancelled_order, marketplace.voided)
    marketplace.change("payments", "payments", marketplace.voided, stripe_id=intent)


@breaks("charged_twice")
def charged_twice_by_two_payments(marketplace: Marketplace) -> None:
    payment = new_id()
    marketplace.pay(
        marketplace.paid_order,
        "voided",
        marketplace.captured_intent(marketplace.paid_order, payment),
        key=payment,
        attempt=2,
    )


@breaks("charged_twice")
def charged_twice_by_one_payment(marketplace: Marketplace) -> None:
    marketplace.captured_intent(marketplace.paid_order, marketplace.payment)


@breaks("intent_unknown")
def an_intent_of_a_lost_payment(marketplace: Marketplace) -> None:
    marketplace.authorized_intent(marketplace.held_order, new_id())


@breaks("intent_unknown")
def an_intent_of_a_lost_order(marketplace: Marketplace) -> None:
    marketplace.captured_intent(new_id(), new_id())


@breaks("intent_unknown")
def an_intent_beside_the_one_that_the_row_names(marketplace: Marketplace) -> None:
    marketplace.authorized_intent(marketplace.paid_order, marketplace.payment)


@breaks("complete_refunded")
def refunded_in_full(marketplace: Marketplace) -> None:
    marketplace.stripe("refunds", payment_intent=marketplace.intent)
    marketplace.pay(
        marketplace.paid_order, "refunded", marketplace.intent, key=marketplace.payment, refunded_cents=PRICE
    )


@breaks("complete_refunded")
def a_dispute_that_was_lost(marketplace: Marketplace) -> None:
    marketplace.dispute(marketplace.intent, status="lost")
    marketplace.pay(
        marketplace.paid_order, "refunded", marketplace.intent, key=marketplace.payment, refunded_cents=PRICE
    )


@breaks("refunded_in_part")
def refunded_in_part(marketplace: Marketplace) -> None:
    marketplace.stripe("refunds", payment_intent=marketplace.intent, amount=50)
    marketplace.change("payments", "payments", marketplace.payment, refunded_cents=50)


@breaks("dispute_open")
def a_dispute_that_is_open(marketplace: Marketplace) -> None:
    marketplace.dispute(marketplace.intent)
    marketplace.change("payments", "payments", marketplace.payment, disputed=True)


@breaks("captured_without_order")
def a_refund_that_failed_of_a_cancelled_order(marketplace: Marketplace) -> None:
    payment = new_id()
    intent = marketplace.captured_intent(marketplace.cancelled_order, payment)
    marketplace.pay(marketplace.cancelled_order, "refunded", intent, key=payment, attempt=2, refunded_cents=0)


@breaks("payment_disagrees_with_stripe")
def a_refund_that_failed_of_a_complete_order(marketplace: Marketplace) -> None:
    marketplace.pay(marketplace.paid_order, "refunded", marketplace.intent, key=marketplace.payment, refunded_cents=0)


@breaks("payment_disagrees_with_stripe")
def disputed_without_us(marketplace: Marketplace) -> None:
    marketplace.dispute(marketplace.intent)


@breaks("payment_disagrees_with_stripe")
def refunded_in_part_without_us(marketplace: Marketplace) -> None:
    marketplace.stripe("refunds", payment_intent=marketplace.intent, amount=50)


@breaks("payment_disagrees_with_stripe")
def refunded_without_us(marketplace: Marketplace) -> None:
    marketplace.stripe("refunds", payment_intent=marketplace.intent)


@breaks("payment_disagrees_with_stripe")
def authorized_here_and_captured_there(marketplace: Marketplace) -> None:
    marketplace.pay(marketplace.paid_order, "authorized", marketplace.intent, key=marketplace.payment)


@breaks("payment_disagrees_with_stripe")
def authorized_there_and_not_reconciled(marketplace: Marketplace) -> None:
    payment = new_id()
    marketplace.pay(
        marketplace.held_order, "initiated", marketplace.authorized_intent(marketplace.held_order, payment), key=payment
    )


@breaks("payment_disagrees_with_stripe")
def another_amount_in_stripe(marketplace: Marketplace) -> None:
    intent = marketplace.captured_intent(marketplace.cancelled_order, marketplace.voided, PRICE - 1)
    marketplace.stripe("refunds", payment_intent=intent)
    marketplace.change("payments", "payments", marketplace.voided, stripe_id=intent)


@breaks("payment_disagrees_with_stripe")
def unknown_to_stripe(marketplace: Marketplace) -> None:
    marketplace.pay(marketplace.held_order, "requires_action", "pi_lost")
    marketplace.collection("payments", "payments").update_one(
        {"stripe_id": "pi_lost"}, {"$set": {"created_at": utc_now()}}
    )
