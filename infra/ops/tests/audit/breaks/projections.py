"""Violations about projections and stored documents."""

from datetime import timedelta

from ticketing_common.entity import new_id, utc_now

from ..marketplace import PRICE, Marketplace
from .registry import breaks


@breaks("projection_differs")
def a_copy_with_other_seats(marketplace: Marketplace) -> None:
    marketplace.change("payments", "orders", marketplace.order_of_two, seats=[2])


@breaks("projection_behind")
def tickets_lacks_an_order(marketplace: Marketplace) -> None:
    marketplace.remove("tickets", "orders", marketplace.cancelled_order)


@breaks("projection_behind")
def payments_is_a_version_behind(marketplace: Marketplace) -> None:
    marketplace.change("payments", "orders", marketplace.cancelled_order, version=1, status="created")


@breaks("projection_behind")
def orders_has_an_old_ticket(marketplace: Marketplace) -> None:
    marketplace.change("orders", "tickets", marketplace.free_ticket, version=2)


@breaks("projection_behind")
def orders_lacks_a_failure(marketplace: Marketplace) -> None:
    marketplace.remove("orders", "payments", marketplace.pay(marketplace.held_order, "failed", None))


@breaks("projection_behind")
def orders_lacks_a_refund(marketplace: Marketplace) -> None:
    payment = new_id()
    intent = marketplace.captured_intent(marketplace.cancelled_order, payment)
    marketplace.stripe("refunds", payment_intent=intent)
    marketplace.pay(
        marketplace.cancelled_order, "refunded", intent, key=payment, attempt=2, refunded_cents=PRICE, version=5
    )
    marketplace.change("orders", "payments", payment, version=3, status="authorized")


@breaks("projection_behind")
def a_deadline_is_missing(marketplace: Marketplace) -> None:
    marketplace.remove("expiration", "deadlines", marketplace.held_order)


@breaks("projection_behind")
def a_deadline_of_a_cancelled_order_still_runs(marketplace: Marketplace) -> None:
    marketplace.change("expiration", "deadlines", marketplace.cancelled_order, status="pending")


@breaks("projection_ahead")
def tickets_knows_an_order_that_does_not_exist(marketplace: Marketplace) -> None:
    marketplace.put("tickets", "orders", new_id(), version=1, status="cancelled", ticket={"price_cents": PRICE})


@breaks("projection_ahead")
def orders_is_ahead_of_a_ticket(marketplace: Marketplace) -> None:
    marketplace.change("orders", "tickets", marketplace.free_ticket, version=9)


@breaks("projection_ahead")
def orders_knows_a_payment_that_does_not_exist(marketplace: Marketplace) -> None:
    marketplace.put("orders", "payments", new_id(), version=3, status="failed", amount_cents=PRICE)


@breaks("projection_ahead")
def a_deadline_is_off_too_early(marketplace: Marketplace) -> None:
    marketplace.change("expiration", "deadlines", marketplace.held_order, status="off")


@breaks("projection_differs")
def a_copy_that_differs(marketplace: Marketplace) -> None:
    marketplace.change("payments", "orders", marketplace.cancelled_order, status="created")


@breaks("projection_differs")
def a_deadline_that_differs(marketplace: Marketplace) -> None:
    marketplace.change("expiration", "deadlines", marketplace.held_order, expires_at=utc_now() + timedelta(days=1))


@breaks("document_unreadable")
def a_ticket_without_a_version(marketplace: Marketplace) -> None:
    marketplace.collection("tickets", "tickets").update_one({"_id": marketplace.sold}, {"$unset": {"version": ""}})


@breaks("document_unreadable")
def a_payment_without_an_amount(marketplace: Marketplace) -> None:
    marketplace.collection("payments", "payments").update_one(
        {"_id": marketplace.payment}, {"$unset": {"amount_cents": ""}}
    )


@breaks("document_unreadable")
def an_order_whose_ticket_is_no_document(marketplace: Marketplace) -> None:
    marketplace.change("orders", "orders", marketplace.paid_order, ticket="none")
