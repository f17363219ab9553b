"""Every query uses an index, according to the query plans of a real MongoDB."""

from datetime import UTC, datetime, timedelta

import pytest

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import TicketStatus
from ticketing_common.storage import Database
from ticketing_common.web import PageRequest
from ticketing_tickets.domain import LISTED, TicketSearch, TicketSort
from ticketing_tickets.repository import OrderProjection, TicketRepository

from .conftest import OrderScenario
from .listings import a_ticket, found, pages, stored

FIELD_OF = {
    TicketSort.NEWEST: "created_at",
    TicketSort.OLDEST: "created_at",
    TicketSort.PRICE: "price_cents",
    TicketSort.PRICE_FALLING: "price_cents",
    TicketSort.STARTS_AT: "starts_at",
    TicketSort.STARTS_AT_FALLING: "starts_at",
}
NOON = datetime(2999, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("statuses", [(TicketStatus.AVAILABLE,), LISTED], ids=["default", "all"])
@pytest.mark.parametrize("sort", TicketSort)
async def test_an_index_carries_every_page_of_every_order(
    tickets: TicketRepository, database: Database, sort: TicketSort, statuses: tuple[TicketStatus, ...]
) -> None:
    # Many seats of one event, same price and same date, so that only the tie-break orders them; among others.
    seats = [a_ticket(starts_at=NOON, created_at=NOON, status=status) for status in TicketStatus for _ in range(300)]
    others = [
        a_ticket(price_cents=price, starts_at=NOON + hours, created_at=NOON + hours, status=status)
        for status in TicketStatus
        for price, hours in ((n, n * timedelta(hours=1)) for n in range(1_001, 1_401))
    ]
    await tickets.collection.insert_many([tickets.to_document(ticket) for ticket in (*seats, *others)])
    await database.command("profile", 2)
    async for page in pages(tickets, TicketSearch(sort=sort, statuses=statuses), 100):
        assert len(page.items) == 100
    await database.command("profile", 0)

    queries = [row async for row in database["system.profile"].find({"op": "query", "ns": {"$regex": "tickets$"}})]
    assert len(queries) >= 3 * len(statuses)
    for query in queries:
        assert "COLLSCAN" not in query["planSummary"]
        assert not query.get("hasSortStage")
        assert FIELD_OF[sort] in query["planSummary"], "the planner was left to choose"
        # At most one key more per branch of the merge than the limit.
        assert query["keysExamined"] <= 101 + 2 * len(statuses), query


@pytest.mark.parametrize("sort", TicketSort)
async def test_listings_that_ended_cost_keys_and_no_documents(
    tickets: TicketRepository, database: Database, sort: TicketSort
) -> None:
    ended = [
        a_ticket(starts_at=utc_now() - timedelta(hours=n), created_at=NOON + n * order, price_cents=1_000 + n)
        for order in (timedelta(hours=1), timedelta(hours=-1))
        for n in range(1, 501)
    ]
    ahead = [a_ticket(starts_at=NOON, created_at=NOON) for _ in range(10)]
    await tickets.collection.insert_many([tickets.to_document(ticket) for ticket in (*ended, *ahead)])
    await database.command("profile", 2)
    listed = await found(tickets, sort=sort)
    await database.command("profile", 0)

    assert set(listed) == {ticket.id for ticket in ahead}
    queries = [row async for row in database["system.profile"].find({"op": "query", "ns": {"$regex": "tickets$"}})]
    assert queries
    for query in queries:
        assert query["docsExamined"] <= 10, query
        assert not query.get("hasSortStage")
        if FIELD_OF[sort] == "starts_at":
            assert query["keysExamined"] <= 12, query


async def test_an_index_carries_the_search_for_words_and_a_sellers_own(
    tickets: TicketRepository, database: Database
) -> None:
    rare = a_ticket("Zanzibar Рок")
    await tickets.collection.insert_many(
        [tickets.to_document(a_ticket(f"Common {n}", user_id="others")) for n in range(1_000)]
    )
    await stored(tickets, rare)
    await database.command("profile", 2)
    assert await found(tickets, words=("zanz",)) == [rare.id]
    assert await found(tickets, words=("рок", "zan")) == [rare.id]
    mine = await tickets.list_of_seller("seller", PageRequest(10))
    await database.command("profile", 0)

    assert [ticket.id for ticket in mine.items] == [rare.id]
    async for query in database["system.profile"].find({"op": "query", "ns": {"$regex": "tickets$"}}):
        assert "COLLSCAN" not in query["planSummary"]
        assert query["keysExamined"] <= 10
        assert query["docsExamined"] <= 2


async def test_an_index_finds_the_active_orders_of_a_ticket(orders: OrderProjection) -> None:
    ticket_id = new_id()
    scenarios = [OrderScenario(ticket_id), OrderScenario(ticket_id), OrderScenario(ticket_id), OrderScenario(new_id())]
    active, over, paid, elsewhere = scenarios
    for state in (active.created, over.cancelled, paid.completed, elsewhere.created):
        await orders.apply(state)

    known = await orders.list_active(ticket_id)

    assert {order.id for order in known} == {active.id, paid.id}
    plan = await orders.collection.find({"ticket.id": ticket_id, "status": {"$ne": "cancelled"}}).explain()
    assert plan["executionStats"]["totalDocsExamined"] == 2
