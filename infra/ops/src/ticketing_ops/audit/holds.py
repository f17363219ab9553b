"""Checks of the seats that orders have, and until when."""

from collections.abc import Iterator

from .cases import OrderCase, TicketCase
from .invariants import Finding, Moment
from .rows import OrderRow, TicketRow


def hold_overdue(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """An unpaid order is still open after its deadline."""
    order = case.order
    if order is not None and order.status == "created" and moment.settled(order.expires_at, order.updated_at):
        late = (moment.now - order.expires_at).total_seconds()
        yield Finding.of("hold_overdue", f"created, and due {late:.0f} s ago", order=order.id, ticket=order.ticket_id)


def seat_taken_twice(case: TicketCase, moment: Moment) -> Iterator[Finding]:
    """Two active orders have one seat. There is no grace: the index allows no such state, and the second reading rules
    out a read between two writes.
    """
    holders: dict[int, OrderRow] = {}
    for order in case.active:
        for seat in order.seats:
            other = holders.setdefault(seat, order)
            if other is not order or order.seats.count(seat) > 1:
                detail = f"seat {seat}: {other.id} {other.status}, {order.id} {order.status}"
                yield Finding.of("seat_taken_twice", detail, ticket=case.id, order_1=other.id, order_2=order.id)
                return


def seats_beyond_quantity(case: TicketCase, moment: Moment) -> Iterator[Finding]:
    """More seats are taken than the listing has. One whose quantity was lowered may have higher seat numbers."""
    ticket, taken = case.ticket, case.seats
    if ticket is None or not taken or not moment.settled(ticket.updated_at, *case.changed_at):
        return
    if len(taken) > ticket.quantity or max(taken) > ticket.highest_seat:
        detail = f"{len(taken)} seats up to {max(taken)} are taken, and there are {ticket.quantity}"
        if ticket.highest_seat > ticket.quantity:
            detail += f" up to {ticket.highest_seat}"
        yield Finding.of("seats_beyond_quantity", detail, ticket=ticket.id)


def seats_miscounted(case: TicketCase, moment: Moment) -> Iterator[Finding]:
    """The counts of held and sold seats are wrong. The checks below cover listings with one seat."""
    ticket = case.ticket
    if ticket is None or ticket.highest_seat == 1 or not moment.settled(ticket.updated_at, *case.changed_at):
        return
    if ticket.status == "cancelled" and not ticket.held + ticket.sold:
        return  # reported by order_of_cancelled_event
    held, sold = (
        sum(len(order.seats) for order in case.active if order.status == status) for status in ("created", "complete")
    )
    counted = _counts(ticket)
    if counted != (held, sold):
        detail = f"{counted[0]} held and {counted[1]} sold, and its orders have {held} and {sold}"
        yield Finding.of("seats_miscounted", detail, ticket=ticket.id)


def _counts(ticket: TicketRow) -> tuple[int, int]:
    """Held and sold seats; with one seat the status decides, as in the service."""
    if ticket.quantity == 1:
        return int(ticket.status == "held"), int(ticket.status == "sold")
    return ticket.held, ticket.sold


def ticket_without_order(case: TicketCase, moment: Moment) -> Iterator[Finding]:
    """A held or sold ticket has no active order. `order_without_ticket` covers a ticket that names another order."""
    ticket = case.ticket
    if ticket is None or ticket.highest_seat > 1 or ticket.status not in ("held", "sold") or case.active:
        return
    if moment.settled(ticket.updated_at, case.holder and case.holder.updated_at):
        if case.holder is None:
            why = "by an order that does not exist"
        else:
            why = f"by an order that is {case.holder.status}"
            if case.holder.ticket_id != ticket.id:
                why += " and of another ticket"
        yield Finding.of("ticket_without_order", f"{ticket.status} {why}", ticket=ticket.id, order=ticket.order_id)


def order_without_ticket(case: TicketCase, moment: Moment) -> Iterator[Finding]:
    """The ticket of an active order is not held or sold for it. `seat_taken_twice` covers several active orders."""
    if not case.active or (len(case.active) > 1 and case.ticket is not None) or _called_off(case):
        return
    order, ticket = case.active[0], case.ticket
    if not moment.settled(order.updated_at, ticket and ticket.updated_at):
        return
    if ticket is None:
        detail = f"{order.status}, and its ticket does not exist"
    elif ticket.highest_seat > 1 or (ticket.status, ticket.order_id) == (_status_for(order), order.id):
        return
    else:
        by = f" by {ticket.order_id}" if ticket.order_id not in (None, order.id) else ""
        detail = f"{order.status}, and its ticket is {ticket.status}{by}"
    yield Finding.of("order_without_ticket", detail, order=order.id, ticket=case.id)


def order_of_cancelled_event(case: TicketCase, moment: Moment) -> Iterator[Finding]:
    """The seller called the event off, and an order of it is still active."""
    if case.ticket is not None and _called_off(case) and moment.settled(case.ticket.updated_at, *case.changed_at):
        for order in case.active:
            yield Finding.of(
                *("order_of_cancelled_event", f"{order.status}, and its event is called off"),
                order=order.id,
                ticket=case.id,
            )


def _called_off(case: TicketCase) -> bool:
    return case.ticket is not None and case.ticket.status == "cancelled"


def _status_for(order: OrderRow) -> str:
    return "sold" if order.status == "complete" else "held"
