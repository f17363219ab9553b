"""Ways to violate the invariants of check-ins in a consistent marketplace, each with the invariant."""

from collections.abc import Callable
from datetime import timedelta

from ticketing_common.entity import new_id

from .marketplace import Marketplace

__all__ = ["CHECKIN_BREAKS"]


def a_check_in_of_no_order(marketplace: Marketplace) -> None:
    marketplace.check_in(new_id(), marketplace.sold)


def a_check_in_of_a_hold(marketplace: Marketplace) -> None:
    marketplace.check_in(marketplace.held_order, marketplace.held)


def a_check_in_of_a_hold_that_ended(marketplace: Marketplace) -> None:
    marketplace.check_in(marketplace.cancelled_order, marketplace.free_ticket)


def a_check_in_of_another_listing(marketplace: Marketplace) -> None:
    marketplace.change("orders", "checkins", marketplace.checkin, ticket_id=marketplace.free_ticket)


def a_check_in_of_a_seat_that_the_order_has_not(marketplace: Marketplace) -> None:
    marketplace.remove("orders", "checkins", marketplace.checkin)
    marketplace.check_in(marketplace.paid_order, marketplace.sold, seat=2)


def a_check_in_of_another_pass(marketplace: Marketplace) -> None:
    marketplace.change("orders", "checkins", marketplace.checkin, pass_id=new_id())


def a_pass_that_admitted_twice(marketplace: Marketplace) -> None:
    marketplace.check_in(marketplace.paid_order, marketplace.sold)


def a_pass_that_admitted_after_the_end(marketplace: Marketplace) -> None:
    late = marketplace.long_ago + timedelta(seconds=1)
    marketplace.change("orders", "checkins", marketplace.checkin_of_refunded, checked_in_at=late)


CHECKIN_BREAKS: list[tuple[str, Callable[[Marketplace], None]]] = [
    ("checkin_without_order", a_check_in_of_no_order),
    ("checkin_without_order", a_check_in_of_a_hold),
    ("checkin_without_order", a_check_in_of_a_hold_that_ended),
    ("checkin_without_order", a_check_in_of_another_listing),
    ("checkin_of_other_seat", a_check_in_of_a_seat_that_the_order_has_not),
    ("checkin_of_other_seat", a_check_in_of_another_pass),
    ("checked_in_twice", a_pass_that_admitted_twice),
    ("checkin_after_end", a_pass_that_admitted_after_the_end),
]
