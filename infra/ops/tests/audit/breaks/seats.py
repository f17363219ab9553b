"""Violations about seats, holds and the orders of a listing."""

from datetime import timedelta

from ticketing_common.entity import new_id, utc_now

from ..marketplace import Marketplace
from .registry import breaks


@breaks("seat_taken_twice")
def seat_taken_twice(marketplace: Marketplace) -> None:
    marketplace.order("created", marketplace.held)


@breaks("seat_taken_twice")
def seat_taken_twice_among_others(marketplace: Marketplace) -> None:
    marketplace.change("orders", "orders", marketplace.order_of_two, seats=[7, 2])


@breaks("seats_beyond_quantity")
def more_seats_than_the_listing_has(marketplace: Marketplace) -> None:
    marketplace.change("tickets", "tickets", marketplace.many, quantity=2)
    marketplace.change("orders", "tickets", marketplace.many, quantity=2)


@breaks("seats_beyond_quantity")
def a_seat_with_a_number_that_there_is_not(marketplace: Marketplace) -> None:
    marketplace.change("tickets", "tickets", marketplace.many, highest_seat=6)


@breaks("seats_miscounted")
def seats_miscounted(marketplace: Marketplace) -> None:
    marketplace.change("tickets", "tickets", marketplace.many, held=1)


@breaks("order_without_ticket")
def seats_of_a_listing_that_is_lost(marketplace: Marketplace) -> None:
    lost = new_id()
    for seat in (1, 2):
        marketplace.order("created", lost, seats=[seat])


@breaks("hold_overdue")
def hold_overdue(marketplace: Marketplace) -> None:
    past = utc_now() - timedelta(minutes=1)
    marketplace.change("orders", "orders", marketplace.held_order, expires_at=past)
    marketplace.change("expiration", "deadlines", marketplace.held_order, expires_at=past)


@breaks("ticket_without_order")
def held_for_a_cancelled_order(marketplace: Marketplace) -> None:
    marketplace.ticket("held", marketplace.cancelled_order, key=marketplace.free_ticket)


@breaks("ticket_without_order")
def sold_for_an_order_that_does_not_exist(marketplace: Marketplace) -> None:
    marketplace.ticket("sold", new_id(), key=marketplace.free_ticket)


@breaks("order_without_ticket")
def an_order_whose_ticket_is_free(marketplace: Marketplace) -> None:
    marketplace.ticket("available", None, key=marketplace.held)


@breaks("order_without_ticket")
def an_order_whose_ticket_is_only_held(marketplace: Marketplace) -> None:
    marketplace.ticket("held", marketplace.paid_order, key=marketplace.sold)


@breaks("order_without_ticket")
def an_order_whose_ticket_is_lost(marketplace: Marketplace) -> None:
    marketplace.order("created", new_id())


@breaks("order_of_cancelled_event")
def a_held_order_of_a_cancelled_event(marketplace: Marketplace) -> None:
    marketplace.ticket("cancelled", None, key=marketplace.held)


@breaks("order_of_cancelled_event")
def a_paid_order_of_a_cancelled_event(marketplace: Marketplace) -> None:
    payment = new_id()
    ticket = marketplace.ticket("cancelled", None, quantity=9, highest_seat=9)
    order = marketplace.order("complete", ticket, payment=payment, seats=[5])
    marketplace.pay(order, "captured", marketplace.captured_intent(order, payment), key=payment)
