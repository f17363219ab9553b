"""Every query, over a real MongoDB: its results and their order."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ticketing_common.entity import new_id, utc_now
from ticketing_common.errors import ConcurrentUpdateError, InvalidInputError
from ticketing_common.events import TicketStatus
from ticketing_common.storage import Database
from ticketing_common.web import PageRequest
from ticketing_tickets.domain import LISTED, Ticket, TicketSearch, TicketSort, words_of
from ticketing_tickets.errors import TicketNotFoundError
from ticketing_tickets.publishers import ticket_deleted, ticket_updated
from ticketing_tickets.repository import TicketRepository

from .listings import a_ticket, found, pages, stored

NOON = datetime(2999, 6, 1, 12, tzinfo=UTC)


async def test_a_ticket_comes_back_as_it_was_stored(tickets: TicketRepository) -> None:
    held: dict[str, Any] = {"order_id": new_id(), "status": TicketStatus.HELD, "held": 1}
    ticket = a_ticket(description="Row 3", venue="Opera", starts_at=NOON, **held)
    await stored(tickets, ticket)

    assert await tickets.get(ticket.id) == ticket
    assert ticket.version == 1


async def test_a_listing_of_many_seats_comes_back_as_it_was_stored(tickets: TicketRepository) -> None:
    ticket = a_ticket(quantity=200, highest_seat=250, held=3, sold=7)
    await stored(tickets, ticket)

    assert await tickets.get(ticket.id) == ticket
    assert ticket.free_seats == 190


@pytest.mark.parametrize(("status", "held", "sold"), [("available", 0, 0), ("held", 1, 0), ("sold", 0, 1)])
async def test_a_document_of_the_version_with_one_seat_has_one(
    tickets: TicketRepository, status: str, held: int, sold: int
) -> None:
    ticket = a_ticket()
    await stored(tickets, ticket)
    younger = {"quantity": "", "highest_seat": "", "held": "", "sold": ""}
    await tickets.collection.update_one({"_id": ticket.id}, {"$unset": younger, "$set": {"status": status}})

    found = await tickets.get(ticket.id)
    assert (found.quantity, found.highest_seat, found.held, found.sold) == (1, 1, held, sold)
    assert found.free_seats == (1 if status == "available" else 0)


async def test_a_replica_of_the_version_with_one_seat_leaves_no_wrong_count(tickets: TicketRepository) -> None:
    """It changes the status and does not know the counts."""
    ticket = a_ticket()
    await stored(tickets, ticket)
    await tickets.collection.update_one({"_id": ticket.id}, {"$set": {"status": "held", "order_id": new_id()}})

    found = await tickets.get(ticket.id)
    assert (found.held, found.free_seats) == (1, 0)


async def test_a_tombstone_is_stored_but_not_shown(tickets: TicketRepository) -> None:
    ticket = a_ticket(status=TicketStatus.DELETED, deleted_at=utc_now(), answered_orders={new_id(): 2})
    await stored(tickets, ticket)

    assert await tickets.find(ticket.id) == ticket
    with pytest.raises(TicketNotFoundError):
        await tickets.get(ticket.id)


async def test_state_words_and_event_are_one_write_and_the_slower_writer_gets_an_error(
    tickets: TicketRepository, database: Database
) -> None:
    await stored(tickets, ticket := a_ticket("Old name"))
    slow, fast = await tickets.get(ticket.id), await tickets.get(ticket.id)
    fast.title, slow.title = "New name", "Other name"
    await tickets.save(fast, ticket_updated)

    with pytest.raises(ConcurrentUpdateError):
        await tickets.save(slow, ticket_deleted)

    document = await database["tickets"].find_one({"_id": ticket.id})
    assert document is not None
    assert (document["title"], document["version"], document["words"]) == ("New name", 2, ["new", "name"])
    assert [entry["subject"] for entry in document["outbox"]] == [
        f"ticket.created.{ticket.id}",
        f"ticket.updated.{ticket.id}",
    ]


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("rock", {"Rock Show", "Rocket Launch", "Hard Rock Café"}),
        ("ROCK cafe", {"Hard Rock Café"}),
        ("opera", {"Rock Show", "Écho"}),
        ("echo opéra", {"Écho"}),
        ("how", set()),
        ("rock nowhere", set()),
        ("…!", set()),
        (None, {"Rock Show", "Rocket Launch", "Hard Rock Café", "Écho"}),
    ],
)
async def test_words_find_beginnings_in_title_and_venue(
    tickets: TicketRepository, query: str | None, titles: set[str]
) -> None:
    await stored(
        tickets,
        a_ticket("Rock Show", venue="Opéra"),
        a_ticket("Rocket Launch"),
        a_ticket("Hard Rock Café", description="opera"),
        a_ticket("Écho", venue="The Opera House"),
    )

    words = None if query is None else tuple(words_of(query))
    page = await tickets.list_matching(TicketSearch(words=words), PageRequest(10))

    assert {ticket.title for ticket in page.items} == titles


async def test_price_and_date_bounds_are_inclusive_and_undated_tickets_have_no_date(tickets: TicketRepository) -> None:
    dated = [a_ticket(price_cents=100 * n, starts_at=NOON + timedelta(days=n)) for n in range(1, 5)]
    one, two, three, four = await stored(tickets, *dated)
    await stored(tickets, a_ticket(price_cents=10_000))

    assert await found(tickets, min_price_cents=200, max_price_cents=300, sort=TicketSort.PRICE) == [two, three]
    assert await found(tickets, max_price_cents=100) == [one]
    assert await found(tickets, starts_from=dated[2].starts_at, sort=TicketSort.STARTS_AT) == [three, four]
    assert await found(tickets, starts_to=dated[1].starts_at, sort=TicketSort.STARTS_AT_FALLING) == [two, one]
    assert await found(tickets, starts_from=NOON, max_price_cents=200, sort=TicketSort.PRICE_FALLING) == [two, one]


async def test_status_selects_and_deleted_tickets_never_appear(tickets: TicketRepository) -> None:
    ids = dict(zip(TicketStatus, await stored(tickets, *(a_ticket(status=s) for s in TicketStatus)), strict=True))

    for status in LISTED:
        assert await found(tickets, statuses=(status,)) == [ids[status]]
    assert set(await found(tickets, statuses=LISTED)) == {ids[status] for status in LISTED}


async def test_a_seller_sees_all_of_their_own_newest_first_and_none_of_others(tickets: TicketRepository) -> None:
    begin = utc_now()
    own = [
        a_ticket(user_id="me", status=status, created_at=begin + timedelta(seconds=n))
        for n, status in enumerate([*LISTED, *LISTED, TicketStatus.DELETED])
    ]
    ids = await stored(tickets, *own)
    await stored(tickets, a_ticket(user_id="you"))

    first = await tickets.list_of_seller("me", PageRequest(5))
    assert first.next_after is not None
    second = await tickets.list_of_seller("me", PageRequest(5, first.next_after))

    assert [ticket.id for ticket in [*first.items, *second.items]] == ids[7::-1]
    assert second.next_after is None


def expected_order(tickets: list[Ticket], sort: TicketSort) -> list[str]:
    """The six sort orders, written again in plain Python."""
    by_id = sorted(tickets, key=lambda t: t.id)
    dated = [ticket for ticket in by_id if ticket.starts_at is not None]
    undated = [ticket for ticket in by_id if ticket.starts_at is None]
    match sort:
        case TicketSort.NEWEST:
            order = sorted(by_id, key=lambda t: t.created_at)[::-1]
        case TicketSort.OLDEST:
            order = sorted(by_id, key=lambda t: t.created_at)
        case TicketSort.PRICE:
            order = sorted(by_id, key=lambda t: t.price_cents)
        case TicketSort.PRICE_FALLING:
            order = sorted(by_id, key=lambda t: t.price_cents)[::-1]
        case TicketSort.STARTS_AT:
            order = [*sorted(dated, key=lambda t: str(t.starts_at)), *undated]
        case TicketSort.STARTS_AT_FALLING:
            order = [*sorted(dated, key=lambda t: str(t.starts_at))[::-1], *undated[::-1]]
    return [ticket.id for ticket in order]


# Few different values, so that ties and nulls are everywhere.
LISTINGS = st.builds(
    lambda minute, price, day, status: a_ticket(
        created_at=NOON + timedelta(minutes=minute),
        price_cents=price,
        starts_at=None if day is None else NOON + timedelta(days=day),
        status=status,
    ),
    st.integers(0, 2),
    st.integers(1, 3),
    st.none() | st.integers(0, 2),
    st.sampled_from([TicketStatus.AVAILABLE, TicketStatus.AVAILABLE, TicketStatus.HELD]),
)


# The database is shared between examples, and every example empties it first.
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.lists(LISTINGS, max_size=12),
    arriving=st.lists(LISTINGS, max_size=6),
    sort=st.sampled_from(TicketSort),
    statuses=st.sampled_from([LISTED, (TicketStatus.AVAILABLE,)]),
    limit=st.integers(1, 5),
)
async def test_pages_repeat_and_skip_no_existing_ticket_while_others_are_added(
    tickets: TicketRepository,
    before: list[Ticket],
    arriving: list[Ticket],
    sort: TicketSort,
    statuses: tuple[TicketStatus, ...],
    limit: int,
) -> None:
    await tickets.collection.delete_many({})
    # Hypothesis may hand the same object out twice.
    before, arriving = ([replace(ticket, id=new_id()) for ticket in group] for group in (before, arriving))
    await stored(tickets, *before)

    seen: list[str] = []
    waiting = iter(arriving)
    async for page in pages(tickets, TicketSearch(sort=sort, statuses=statuses), limit):
        assert len(page.items) == limit or page.next_after is None
        seen += [ticket.id for ticket in page.items]
        if newcomer := next(waiting, None):
            await stored(tickets, newcomer)

    assert len(set(seen)) == len(seen)
    throughout = expected_order([t for t in before if t.status in statuses], sort)
    assert [ticket_id for ticket_id in seen if ticket_id in set(throughout)] == throughout


@pytest.mark.parametrize(
    "after",
    [
        ("x",),
        ("x", "0" * 24),
        (1, "no id"),
        (1, "0" * 24 + "\n"),
        (2**60, "0" * 24),
        (2**53, "0" * 24),
        (-(2**53), "0" * 24),
        (1.5, "0" * 24),
        (None, "0" * 24),
        (1, "0" * 24, 1),
        (1, 1),
    ],
    ids=str,
)
async def test_an_invalid_cursor_is_refused(tickets: TicketRepository, after: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await tickets.list_matching(TicketSearch(), PageRequest(10, after))

    assert refused.value.errors[0].field == "cursor"
