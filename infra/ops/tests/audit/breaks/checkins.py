"""Violations about check-ins."""

from datetime import timedelta

from ticketing_common.entity import new_id

from ..marketplace import Marketplace
from .registry import breaks


@breaks("checkin_without_order")
def a_check_in_of_no_order(marketplace: Marketplace) -> None:
    marketplace.check_in(new_id(), marketplace.sold)


@breaks("checkin_without_order")
def a_check_in_of_a_hold(marketplace: Marketplace) -> None:
    marketplace.check_in(marketplace.held_order, marketplace.held)


@breaks("checkin_without_order")
def a_check_in_of_a_hold_that_ended(marketplace: Marketplace) -> None:
    marketplace.check_in(marketplace.cancelled_order, marketplace.free_ticket)


@breaks("checkin_without_order")
def a_check_in_of_another_listing(marketplace: Marketplace) -> None:
    marketplace.change("orders", "checkins", marketplace.checkin, ticket_id=marketplace.free_ticket)


@breaks("checkin_of_other_seat")
def a_check_in_of_a_seat_that_the_order_has_not(marketplace: Marketplace) -> None:
    marketplace.remove("orders", "checkins", marketplace.checkin)
    marketplace.check_in(marketplace.paid_order, marketplace.sold, seat=2)


@breaks("checkin_of_other_seat")
def a_check_in_of_another_pass(marketplace: Marketplace) -> None:
    marketplace.change("orders", "checkins", marketplace.checkin, pass_id=new_id())


@breaks("checked_in_twice")
def a_pass_that_admitted_twice(marketplace: Marketplace) -> None:
    marketplace.check_in(marketplace.paid_order, marketplace.sold)


@breaks("checkin_after_end")
def a_pass_that_admitted_after_the_end(marketplace: Marketplace) -> None:
    late = marketplace.long_ago + timedelta(seconds=1)
    marketplace.change("orders", "checkins", marketplace.checkin_of_refunded, checked_in_at=late)
