"""The seller calls an event off: what changes, and for which orders it is published again."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import TicketCancelled, TicketStatus, parse_event
from ticketing_common.web import PageRequest
from ticketing_tickets.domain import LISTED, Taken, Ticket, TicketDetails, TicketSearch, shown_status
from ticketing_tickets.errors import TicketCancelledError, TicketNotFoundError, TicketNotOwnedError
from ticketing_tickets.feed import ticket_message
from ticketing_tickets.publishers import ticket_changed
from ticketing_tickets.repository import TicketRepository
from ticketing_tickets.service import TicketService

from .conftest import SELLER, OrderScenario, refused, subjects


@given(status=st.sampled_from(LISTED), held=st.integers(0, 3), sold=st.integers(0, 3))
def test_no_order_and_no_edit_changes_a_cancelled_listing(status: TicketStatus, held: int, sold: int) -> None:
    ticket = Ticket(user_id=new_id(), title="Seat 7", price_cents=1_999, currency="usd", quantity=9, highest_seat=9)
    ticket.status = status
    assert ticket.cancel(ticket.user_id) == (status is not TicketStatus.CANCELLED)
    before = replace(ticket)
    assert not ticket.cancel(ticket.user_id)
    assert not ticket.follow(Taken(held=held, sold=sold, holder=new_id()))
    with pytest.raises(TicketCancelledError):
        ticket.edit(ticket.user_id, replace(ticket.details, title="Seat 8"), now=utc_now())
    with pytest.raises(TicketCancelledError):
        ticket.delete(ticket.user_id)
    assert ticket == before
    assert (ticket.free_seats, ticket.taken, ticket.order_id) == (0, 0, None)


def test_an_event_that_has_begun_can_be_called_off_and_is_not_shown_as_ended() -> None:
    ticket = Ticket(user_id=new_id(), title="Seat 7", price_cents=1_999, currency="usd")
    ticket.starts_at = utc_now() - timedelta(hours=1)
    assert ticket.cancel(ticket.user_id)
    assert shown_status(ticket.status, ticket.starts_at, utc_now()) == "cancelled"


def test_a_cancelled_listing_is_republished_as_that_and_shown_live_as_an_update(ticket: Ticket) -> None:
    assert ticket.cancel(ticket.user_id)
    event = ticket_changed(replace(ticket, version=2))
    assert isinstance(event, TicketCancelled)
    assert parse_event(event.nats_subject, event.to_json()) == event
    message = ticket_message(event)
    assert (message.event, json.loads(message.json)["status"]) == ("ticket.updated", "cancelled")


async def test_only_the_seller_calls_an_event_off_and_once(
    service: TicketService, tickets: TicketRepository, on_sale: Ticket
) -> None:
    await service.follow_order(OrderScenario(on_sale.id).completed)
    with pytest.raises(TicketNotOwnedError):
        await service.cancel(on_sale.id, new_id())
    with pytest.raises(TicketNotFoundError):
        await service.cancel(new_id(), SELLER)
    for _ in range(2):
        cancelled = await service.cancel(on_sale.id, SELLER)
        assert (cancelled.status, cancelled.version) == (TicketStatus.CANCELLED, 3)
    assert await subjects(tickets, on_sale.id) == ["ticket.created", "ticket.updated", "ticket.cancelled"]


async def test_the_cancellation_is_published_again_for_an_order_that_was_on_its_way(
    service: TicketService, tickets: TicketRepository, on_sale: Ticket
) -> None:
    before, late = OrderScenario(on_sale.id), OrderScenario(on_sale.id, minute=1)
    await service.follow_order(before.created)
    await service.cancel(on_sale.id, SELLER)
    await service.follow_order(before.cancelled)  # the end that the cancellation caused
    assert (await tickets.get(on_sale.id)).version == 3
    for fact in (late.created, late.cancelled, late.created, late.completed):
        await service.follow_order(fact)

    assert await subjects(tickets, on_sale.id) == [
        *("ticket.created", "ticket.updated", "ticket.cancelled"),
        "ticket.cancelled",  # for late.created; its cancellation is known when it comes again
    ]
    assert (await tickets.get(on_sale.id)).status is TicketStatus.CANCELLED


async def test_many_late_orders_share_announcements_and_each_comes_before_one(
    service: TicketService, tickets: TicketRepository, on_sale: Ticket
) -> None:
    await service.cancel(on_sale.id, SELLER)
    announced: list[int] = []

    async def late() -> None:
        order = OrderScenario(on_sale.id).created
        begun = (await tickets.get(on_sale.id)).version
        await service.follow_order(order)
        announced.append((await tickets.get(on_sale.id)).version - begun)

    await asyncio.gather(*(late() for _ in range(50)))
    assert min(announced) >= 1, "published after the order was known"


async def test_a_cancellation_in_the_middle_of_a_round_is_not_overwritten(
    service: TicketService, tickets: TicketRepository, details: TicketDetails
) -> None:
    for _ in range(20):
        listed = await service.create(SELLER, details)
        order = OrderScenario(listed.id)
        await asyncio.gather(service.follow_order(order.created), service.cancel(listed.id, SELLER))
        await service.follow_order(order.cancelled)
        assert (await tickets.get(listed.id)).status is TicketStatus.CANCELLED


async def test_a_cancelled_listing_is_only_in_the_lists_of_all(
    service: TicketService, tickets: TicketRepository, on_sale: Ticket
) -> None:
    await service.cancel(on_sale.id, SELLER)
    page = PageRequest(10)
    for status in (TicketStatus.AVAILABLE, TicketStatus.HELD, TicketStatus.SOLD):
        assert (await service.search(TicketSearch(statuses=(status,)), page)).items == []
    everything = await service.search(TicketSearch(statuses=LISTED), page)
    own = await service.list_of_seller(SELLER, page)
    assert [ticket.id for ticket in everything.items] == [ticket.id for ticket in own.items] == [on_sale.id]


@pytest.mark.asyncio(loop_scope="module")
async def test_the_route_cancels_for_the_seller_and_repeats_its_answer(
    api: httpx.AsyncClient,
    app: FastAPI,
    seller: dict[str, str],
    stranger: dict[str, str],
    listed: dict[str, Any],
    follow: Callable[..., Awaitable[None]],
) -> None:
    path = f"/api/tickets/{listed['id']}"
    await follow(listed["id"], "completed")
    refused(await api.post(f"{path}/cancel"), 401)
    refused(await api.post(f"{path}/cancel", headers=stranger), 403)
    refused(await api.post(f"/api/tickets/{new_id()}/cancel", headers=seller), 404)
    refused(await api.post("/api/tickets/x/cancel", headers=seller), 404)
    refused(await api.post(f"{path}/cancel", headers=seller, json={"keepPaidOrders": True}), 422)
    first = await api.post(f"{path}/cancel", headers=seller)
    assert (first.status_code, first.json()["status"], first.json()["available"]) == (200, "cancelled", 0)
    again = await api.post(f"{path}/cancel", headers=seller)
    assert (again.status_code, again.json()) == (200, first.json())
    assert (await api.get(path)).json() == first.json()
    changed = {"title": "Seat 8", "price": 19.99}
    refused(await api.put(path, json=changed, headers=seller), 409)
    refused(await api.delete(path, headers=seller), 409)
