"""The use cases over a real MongoDB, one event after the other."""

import asyncio
from dataclasses import replace

import pytest

from ticketing_common.entity import new_id
from ticketing_common.events import OrderStatus, TicketStatus
from ticketing_tickets.domain import Ticket, TicketDetails
from ticketing_tickets.errors import TicketNotFoundError, TicketReservedError
from ticketing_tickets.repository import OrderProjection, TicketRepository
from ticketing_tickets.service import TicketService

from .conftest import SELLER, OrderScenario, state, subjects


async def test_an_order_holds_a_ticket_and_its_payment_sells_it(
    service: TicketService, tickets: TicketRepository, on_sale: Ticket
) -> None:
    order = OrderScenario(on_sale.id)

    await service.follow_order(order.created)
    assert await state(tickets, on_sale.id) == (TicketStatus.HELD, order.id)
    await service.follow_order(order.completed)
    assert await state(tickets, on_sale.id) == (TicketStatus.SOLD, order.id)
    assert await subjects(tickets, on_sale.id) == ["ticket.created", "ticket.updated", "ticket.updated"]


async def test_a_duplicate_changes_and_publishes_nothing(
    service: TicketService, tickets: TicketRepository, on_sale: Ticket
) -> None:
    order = OrderScenario(on_sale.id)
    for fact in (order.created, order.created, order.completed, order.completed, order.created):
        await service.follow_order(fact)

    assert await state(tickets, on_sale.id) == (TicketStatus.SOLD, order.id)
    assert (await tickets.get(on_sale.id)).version == 3


async def test_a_completion_that_arrives_before_its_creation_sells(
    service: TicketService, tickets: TicketRepository, on_sale: Ticket
) -> None:
    order = OrderScenario(on_sale.id)
    await service.follow_order(order.completed)
    await service.follow_order(order.created)

    assert await state(tickets, on_sale.id) == (TicketStatus.SOLD, order.id)
    assert await subjects(tickets, on_sale.id) == ["ticket.created", "ticket.updated"]


async def test_the_next_order_that_arrives_before_the_end_of_the_last_holds(
    service: TicketService, tickets: TicketRepository, on_sale: Ticket
) -> None:
    first, second = OrderScenario(on_sale.id), OrderScenario(on_sale.id, minute=1)
    await service.follow_order(first.created)
    await service.follow_order(second.created)
    assert await state(tickets, on_sale.id) == (TicketStatus.HELD, second.id)

    await service.follow_order(first.cancelled)
    assert await state(tickets, on_sale.id) == (TicketStatus.HELD, second.id)
    assert (await tickets.get(on_sale.id)).version == 3


async def test_a_stale_cancellation_does_not_free_another_buyers_hold(
    service: TicketService, tickets: TicketRepository, on_sale: Ticket
) -> None:
    first, second = OrderScenario(on_sale.id), OrderScenario(on_sale.id, minute=1)
    for fact in (first.created, first.cancelled, second.created, first.cancelled, first.created):
        await service.follow_order(fact)

    assert await state(tickets, on_sale.id) == (TicketStatus.HELD, second.id)


async def test_a_cancelled_order_frees_the_ticket_even_if_it_had_been_paid(
    service: TicketService, tickets: TicketRepository, on_sale: Ticket
) -> None:
    order = OrderScenario(on_sale.id)
    for fact in (order.completed, order.refused):
        await service.follow_order(fact)

    assert await state(tickets, on_sale.id) == (TicketStatus.AVAILABLE, None)


async def test_a_cancellation_of_an_unknown_order_changes_nothing(
    service: TicketService, tickets: TicketRepository, on_sale: Ticket
) -> None:
    await service.follow_order(OrderScenario(on_sale.id).cancelled)

    assert await state(tickets, on_sale.id) == (TicketStatus.AVAILABLE, None)
    assert (await tickets.get(on_sale.id)).version == 1


async def test_the_deletion_is_published_again_once_per_version_of_a_late_order(
    service: TicketService, tickets: TicketRepository, on_sale: Ticket
) -> None:
    order, later = OrderScenario(on_sale.id), OrderScenario(on_sale.id, minute=1)
    await service.delete(on_sale.id, SELLER)

    for fact in (order.created, order.created, order.cancelled, order.created, later.created):
        await service.follow_order(fact)

    assert await state(tickets, on_sale.id) == (TicketStatus.DELETED, None)
    assert await subjects(tickets, on_sale.id) == ["ticket.created", *["ticket.deleted"] * 3]
    tombstone = await tickets.find(on_sale.id)
    assert tombstone is not None
    assert tombstone.version == 4
    assert tombstone.answered_orders == {order.id: 1, later.id: 1}
    with pytest.raises(TicketNotFoundError):
        await service.get(on_sale.id)


async def test_an_order_paid_before_the_deletion_arrived_keeps_its_ticket(
    service: TicketService, tickets: TicketRepository, on_sale: Ticket
) -> None:
    order = OrderScenario(on_sale.id)
    await service.delete(on_sale.id, SELLER)
    for fact in (order.created, order.completed):
        await service.follow_order(fact)

    assert (await service.get(on_sale.id)).order_id == order.id
    await service.follow_order(order.refused)
    assert await state(tickets, on_sale.id) == (TicketStatus.DELETED, None)
    assert await subjects(tickets, on_sale.id) == [
        "ticket.created",
        "ticket.deleted",
        "ticket.deleted",
        "ticket.updated",
        "ticket.deleted",
    ]


async def test_a_held_ticket_cannot_be_edited_or_deleted(
    service: TicketService, tickets: TicketRepository, on_sale: Ticket
) -> None:
    await service.follow_order(OrderScenario(on_sale.id).created)
    held = await tickets.get(on_sale.id)

    with pytest.raises(TicketReservedError):
        await service.edit(on_sale.id, SELLER, TicketDetails(title="Other", price_cents=1))
    with pytest.raises(TicketReservedError):
        await service.delete(on_sale.id, SELLER)
    assert await tickets.get(on_sale.id) == held


async def test_an_active_order_of_an_unknown_ticket_is_an_error_and_a_cancelled_one_is_not(
    service: TicketService, orders: OrderProjection
) -> None:
    order = OrderScenario(new_id())

    with pytest.raises(TicketNotFoundError):
        await service.follow_order(order.created)
    await service.follow_order(order.cancelled)
    known = await orders.find(order.id)
    assert known is not None
    assert known.status is OrderStatus.CANCELLED


async def test_the_end_of_an_order_of_an_unknown_ticket_is_an_error_while_another_order_of_it_is_active(
    service: TicketService,
) -> None:
    """Acknowledged, the end would be missing in the counts if only the read of the ticket was outdated."""
    ticket_id = new_id()
    active, ended = OrderScenario(ticket_id), OrderScenario(ticket_id)
    with pytest.raises(TicketNotFoundError):
        await service.follow_order(active.created)

    with pytest.raises(TicketNotFoundError):
        await service.follow_order(ended.cancelled)


async def test_of_two_concurrent_edits_both_happen_and_the_later_is_complete(
    service: TicketService, tickets: TicketRepository, on_sale: Ticket
) -> None:
    edits = [TicketDetails(title=f"Seat {n}", price_cents=100 * n, description=f"by {n}") for n in range(1, 6)]
    results = await asyncio.gather(*(service.edit(on_sale.id, SELLER, edit) for edit in edits))

    assert sorted(ticket.version for ticket in results) == [2, 3, 4, 5, 6]
    last = max(results, key=lambda ticket: ticket.version)
    assert (await tickets.get(on_sale.id)) == last
    assert last.details in [replace(edit, quantity=1) for edit in edits]
    assert await subjects(tickets, on_sale.id) == ["ticket.created", *["ticket.updated"] * 5]
