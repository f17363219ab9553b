"""Texts of deleted listings are removed after a while, here and in the published event; nothing else is."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import TicketStatus
from ticketing_tickets.domain import Ticket, TicketDetails
from ticketing_tickets.repository import TicketRepository
from ticketing_tickets.retention import forget_regularly
from ticketing_tickets.service import TicketService

from .conftest import OrderScenario

DAY = timedelta(days=1)
DETAILS = TicketDetails(
    title="At Ann's", price_cents=1_000, description="Ring at Ann's", venue="Ann's garden", quantity=1
)


async def stored(tickets: TicketRepository, ticket_id: str) -> Ticket:
    found = await tickets.find(ticket_id)
    assert found is not None
    return found


async def deleted(service: TicketService, tickets: TicketRepository, *, ago: timedelta) -> str:
    seller = new_id()
    ticket = await service.create(seller, DETAILS)
    await service.delete(ticket.id, seller)
    await tickets.collection.update_one({"_id": ticket.id}, {"$set": {"deleted_at": utc_now() - ago}})
    return ticket.id


async def test_texts_go_after_the_time_and_the_tombstone_stays(
    service: TicketService, tickets: TicketRepository
) -> None:
    old, young = [await deleted(service, tickets, ago=ago) for ago in (31 * DAY, 29 * DAY)]
    listed = await service.create(new_id(), DETAILS)

    assert await service.forget_deleted(before=utc_now() - 30 * DAY) == 1

    found = await tickets.collection.find_one({"_id": old})
    assert found is not None
    assert "Ann" not in str({**found, "outbox": found["outbox"][-1]})
    assert (found["status"], found["title"], found["words"], found["version"]) == ("deleted", "", [], 3)
    published = found["outbox"][-1]
    assert published["subject"] == f"ticket.deleted.{old}"
    assert "Ann" not in str(published)
    for other in (young, listed.id):
        assert (await stored(tickets, other)).details == DETAILS
    assert await service.forget_deleted(before=utc_now() - 30 * DAY) == 0


async def test_two_concurrent_replicas_forget_each_listing_once(
    service: TicketService, tickets: TicketRepository
) -> None:
    ids = [await deleted(service, tickets, ago=40 * DAY) for _ in range(5)]
    await asyncio.gather(*(service.forget_deleted(before=utc_now() - 30 * DAY) for _ in range(2)))
    assert [(await stored(tickets, one)).version for one in ids] == [3] * 5


async def test_a_listing_that_cannot_be_published_stops_no_other(
    service: TicketService, tickets: TicketRepository
) -> None:
    broken, other = [await deleted(service, tickets, ago=ago) for ago in (41 * DAY, 40 * DAY)]
    await tickets.collection.update_one({"_id": broken}, {"$set": {"price_cents": 0}})
    assert await service.forget_deleted(before=utc_now() - 30 * DAY) == 1
    assert (await stored(tickets, other)).title == ""


async def test_a_sale_that_was_decided_before_the_deletion_keeps_its_texts(
    service: TicketService, tickets: TicketRepository
) -> None:
    ticket_id = await deleted(service, tickets, ago=40 * DAY)
    await service.follow_order(OrderScenario(ticket_id).completed)
    assert await service.forget_deleted(before=utc_now()) == 0
    sold = await stored(tickets, ticket_id)
    assert (sold.status, sold.details) == (TicketStatus.SOLD, DETAILS)


async def test_an_order_that_comes_late_is_still_answered(service: TicketService, tickets: TicketRepository) -> None:
    ticket_id = await deleted(service, tickets, ago=40 * DAY)
    await service.forget_deleted(before=utc_now())
    await service.follow_order(OrderScenario(ticket_id).created)
    found = await stored(tickets, ticket_id)
    assert (found.status, found.version) == (TicketStatus.DELETED, 4)


async def test_the_index_finds_them(tickets: TicketRepository) -> None:
    before = utc_now()
    query = {"status": "deleted", "title": {"$gt": ""}, "deleted_at": {"$lt": before}}
    plan = await tickets.collection.find(query).sort("deleted_at", 1).explain()
    text = str(plan["queryPlanner"]["winningPlan"])
    assert "'indexName': 'deleted_with_texts'" in text
    assert "'stage': 'SORT'" not in text


async def test_the_service_removes_texts_by_itself_and_continues_after_a_failure(
    service: TicketService, tickets: TicketRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket_id = await deleted(service, tickets, ago=40 * DAY)
    forget, failures = service.forget_deleted, [RuntimeError("once")]
    done = asyncio.Event()

    async def sometimes(**arguments: Any) -> int:
        if failures:
            raise failures.pop()
        count = await forget(**arguments)
        done.set()
        return count

    monkeypatch.setattr(service, "forget_deleted", sometimes)
    async with forget_regularly(service, after=30 * DAY, every_seconds=0.01):
        await asyncio.wait_for(done.wait(), 60)
    assert (await stored(tickets, ticket_id)).title == ""
