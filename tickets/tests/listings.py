"""Tickets for tests of the repository, and its searches."""

from collections.abc import AsyncIterator
from typing import Any

from ticketing_common.web import Page, PageRequest
from ticketing_tickets.domain import Ticket, TicketSearch
from ticketing_tickets.publishers import ticket_created
from ticketing_tickets.repository import TicketRepository


def a_ticket(title: str = "Seat", **fields: Any) -> Ticket:
    return Ticket(**{"user_id": "seller", "title": title, "price_cents": 1_000, "currency": "usd", **fields})


async def stored(tickets: TicketRepository, *new: Ticket) -> list[str]:
    for ticket in new:
        await tickets.add(ticket, ticket_created)
    return [ticket.id for ticket in new]


async def pages(tickets: TicketRepository, search: TicketSearch, limit: int) -> AsyncIterator[Page[Ticket]]:
    after: tuple[Any, ...] | None = ()
    while after is not None:
        page = await tickets.list_matching(search, PageRequest(limit, after))
        yield page
        after = page.next_after


async def found(tickets: TicketRepository, limit: int = 100, **search: Any) -> list[str]:
    walk = pages(tickets, TicketSearch(**search), limit)
    return [ticket.id async for page in walk for ticket in page.items]
