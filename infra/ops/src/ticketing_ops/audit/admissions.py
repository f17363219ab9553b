"""Checks of the check-ins of an order's passes."""

from collections import Counter
from collections.abc import Iterator
from hashlib import sha256

from .cases import OrderCase
from .invariants import Finding, Moment


def checkin_without_order(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """A check-in belongs to an order that never was complete. There is no grace: the order is complete first."""
    order = case.order
    for checkin in case.checkins:
        if order is None:
            why = "its order does not exist"
        elif order.status != "complete" and order.payment_id is None:
            why = f"its order is {order.status} and never was complete"
        elif order.ticket_id != checkin.ticket_id:
            why = f"its order is of ticket {order.ticket_id}"
        else:
            continue
        detail = f"seat {checkin.seat}: {why}"
        yield Finding.of("checkin_without_order", detail, order=case.id, checkin=checkin.id, ticket=checkin.ticket_id)


def checkin_of_other_seat(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """The seat of a check-in is not one of its order's, or the pass is not that of the seat."""
    for checkin in case.checkins:
        if case.order is None:
            return
        if checkin.seat not in case.order.seats:
            detail = f"seat {checkin.seat}, and the order has {', '.join(map(str, case.order.seats))}"
        elif checkin.pass_id != _pass_id(case.id, checkin.seat):
            detail = f"pass {checkin.pass_id}, and seat {checkin.seat} has pass {_pass_id(case.id, checkin.seat)}"
        else:
            continue
        yield Finding.of("checkin_of_other_seat", detail, order=case.id, checkin=checkin.id)


def checked_in_twice(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """A pass has several check-ins. There is no grace: the index allows no such state."""
    for pass_id, number in Counter(checkin.pass_id for checkin in case.checkins).items():
        if number > 1:
            times = [checkin.checked_in_at.isoformat() for checkin in case.checkins if checkin.pass_id == pass_id]
            yield Finding.of("checked_in_twice", f"at {', '.join(sorted(times))}", order=case.id, **{"pass": pass_id})


def checkin_after_end(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """A pass admitted although its order had ended. At the same moment both may happen, within the grace."""
    order = case.order
    if order is None or order.status != "cancelled" or order.payment_id is None:
        return
    for checkin in case.checkins:
        late = checkin.checked_in_at - order.updated_at
        if late > moment.grace:
            detail = f"seat {checkin.seat}: {late.total_seconds():.0f} s after the end"
            yield Finding.of("checkin_after_end", detail, order=case.id, checkin=checkin.id)


def _pass_id(order_id: str, seat: int) -> str:
    """As orders derives it; written again, so that an error there cannot hide here."""
    return sha256(f"pass/{order_id}/{seat}".encode()).hexdigest()[:24]
