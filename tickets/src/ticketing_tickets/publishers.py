"""Pure functions from a ticket to the event that describes it, with the full public state."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from ticketing_common.events import (
    TicketCancelled,
    TicketCreated,
    TicketData,
    TicketDeleted,
    TicketEvent,
    TicketStatus,
    TicketUpdated,
)

from .domain import Ticket

TicketPublisher: TypeAlias = Callable[[Ticket], TicketEvent]


def ticket_created(ticket: Ticket) -> TicketCreated:
    """A seller created the listing."""
    return TicketCreated.of(_state(ticket))


def ticket_updated(ticket: Ticket) -> TicketUpdated:
    """The listing was edited, held, freed or sold."""
    return TicketUpdated.of(_state(ticket))


def ticket_cancelled(ticket: Ticket) -> TicketCancelled:
    """The event was called off; published again with a higher version for an order that came too late."""
    return TicketCancelled.of(_state(ticket))


def ticket_deleted(ticket: Ticket) -> TicketDeleted:
    """The listing was deleted; published again with a higher version for an order that came too late."""
    return TicketDeleted.of(_state(ticket))


_FINAL: Final[Mapping[TicketStatus, TicketPublisher]] = {
    TicketStatus.CANCELLED: ticket_cancelled,
    TicketStatus.DELETED: ticket_deleted,
}


def ticket_changed(ticket: Ticket) -> TicketEvent:
    """The event for the ticket's current status, after a change of its orders."""
    return _FINAL.get(ticket.status, ticket_updated)(ticket)


def _state(ticket: Ticket) -> TicketData:
    return TicketData(
        id=ticket.id,
        version=ticket.version,
        title=ticket.title,
        description=ticket.description,
        venue=ticket.venue,
        starts_at=ticket.starts_at,
        price_cents=ticket.price_cents,
        currency=ticket.currency,
        user_id=ticket.user_id,
        order_id=ticket.order_id,
        status=ticket.status,
        created_at=ticket.created_at,
        quantity=ticket.quantity,
        highest_seat=ticket.highest_seat,
        available=ticket.free_seats,
    )
