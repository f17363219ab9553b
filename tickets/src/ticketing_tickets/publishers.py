"""Pure functions from a ticket to the event that describes it, with the full public state."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias, TypeVar

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

E = TypeVar("E", bound=TicketEvent)

TicketPublisher: TypeAlias = Callable[[Ticket], TicketEvent]


def _publisher(kind: type[E]) -> Callable[[Ticket], E]:
    return lambda ticket: kind.of(_state(ticket))


ticket_created: Final = _publisher(TicketCreated)
ticket_updated: Final = _publisher(TicketUpdated)
ticket_cancelled: Final = _publisher(TicketCancelled)
ticket_deleted: Final = _publisher(TicketDeleted)
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
