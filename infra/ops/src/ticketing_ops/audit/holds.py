"""Checks of who has a ticket, and until when."""

from collections.abc import Iterator

from .cases import OrderCase, TicketCase
from .invariants import Finding, Moment
from .rows import OrderRow

__all__ = ["hold_overdue", "order_without_ticket", "ticket_without_order", "two_active_orders"]


def hold_overdue(case: OrderCase, moment: Moment) -> Iterator[Finding]:
    """An unpaid order ends at its deadline."""
    order = case.order
    if order is not None and order.status == "created" and moment.settled(order.expires_at, order.updated_at):
        late = (moment.now - order.expires_at).total_seconds()
        yield Finding.of("hold_overdue", f"created, and due {late:.0f} s ago", order=order.id, ticket=order.ticket_id)


def two_active_orders(case: TicketCase, moment: Moment) -> Iterator[Finding]:
    """No time is allowed here: the index lets none pass, and the second look rules out a read between two writes."""
    if len(case.active) > 1:
        said = ", ".join(f"{order.id} {order.status}" for order in case.active)
        ids = {f"order_{number}": order.id for number, order in enumerate(case.active, start=1)}
        yield Finding.of("two_active_orders", said, ticket=case.id, **ids)


def ticket_without_order(case: TicketCase, moment: Moment) -> Iterator[Finding]:
    """A ticket whose active order is another one is that order's problem, see below."""
    ticket = case.ticket
    if ticket is None or ticket.status not in ("held", "sold") or case.active:
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
    """Where several orders are active the ticket cannot be right for all of them: that is one violation, not more."""
    if len(case.active) != 1:
        return
    order, ticket = case.active[0], case.ticket
    if not moment.settled(order.updated_at, ticket and ticket.updated_at):
        return
    if ticket is None:
        said = f"{order.status}, and its ticket does not exist"
    elif (ticket.status, ticket.order_id) == (_status_for(order), order.id):
        return
    else:
        by = f" by {ticket.order_id}" if ticket.order_id not in (None, order.id) else ""
        said = f"{order.status}, and its ticket is {ticket.status}{by}"
    yield Finding.of("order_without_ticket", said, order=order.id, ticket=case.id)


def _status_for(order: OrderRow) -> str:
    return "sold" if order.status == "complete" else "held"
