"""Every event has the full public state."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import TicketDeleted, TicketEvent, TicketStatus, TicketUpdated, parse_event
from ticketing_tickets.domain import Ticket
from ticketing_tickets.publishers import ticket_changed, ticket_created, ticket_deleted, ticket_updated

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("publish", [ticket_created, ticket_updated, ticket_deleted])
def test_an_event_carries_everything_and_survives_the_wire(
    publish: Callable[[Ticket], TicketEvent], ticket: Ticket
) -> None:
    ticket = replace(ticket, version=3, starts_at=utc_now(), order_id=new_id(), status=TicketStatus.HELD)

    event = publish(ticket)

    assert parse_event(event.nats_subject, event.to_json()) == event
    data = event.data.model_dump()
    assert data.pop("available") == 0
    assert data == {name: getattr(ticket, name) for name in data}


def test_private_fields_are_not_published(ticket: Ticket) -> None:
    assert {"answered_orders", "deleted_at", "updated_at"}.isdisjoint(
        ticket_created(replace(ticket, version=1)).data.model_dump()
    )


def test_a_change_is_published_as_the_resulting_state(ticket: Ticket) -> None:
    gone = replace(ticket, version=2, status=TicketStatus.DELETED)

    assert isinstance(ticket_changed(gone), TicketDeleted)
    assert isinstance(ticket_changed(replace(gone, status=TicketStatus.SOLD)), TicketUpdated)
