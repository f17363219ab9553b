"""Listings of a deleted account offer no seat any more: neither one that is free, nor one that becomes free."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import RevocationReason, TicketStatus, UserData, UserDeleted
from ticketing_common.storage import Database
from ticketing_tickets.departures import Departures
from ticketing_tickets.domain import TicketDetails
from ticketing_tickets.errors import TicketNotOwnedError
from ticketing_tickets.repository import TicketRepository
from ticketing_tickets.service import TicketService

from .conftest import OrderScenario, subjects

SELLER = new_id()


@pytest.fixture
def departures(database: Database, tickets: TicketRepository) -> Departures:
    return Departures(database["departures"], tickets)


@pytest.fixture
def status_of(tickets: TicketRepository) -> Callable[[str], Awaitable[TicketStatus]]:
    async def read(ticket_id: str) -> TicketStatus:
        ticket = await tickets.find(ticket_id)
        assert ticket is not None
        return ticket.status

    return read


def deleted(user_id: str = SELLER, *, at: datetime | None = None) -> UserDeleted:
    at = at or utc_now()
    return UserDeleted.of(
        UserData(
            id=user_id,
            version=2,
            user_id=user_id,
            session_epoch=1,
            revoked_before=at,
            tokens_end_at=at + timedelta(hours=1),
            reason=RevocationReason.DELETED,
        )
    )


async def test_what_is_on_sale_is_withdrawn_and_what_is_sold_stays(
    service: TicketService,
    tickets: TicketRepository,
    departures: Departures,
    details: TicketDetails,
    status_of: Callable[[str], Awaitable[TicketStatus]],
) -> None:
    on_sale = [(await service.create(SELLER, details)).id for _ in range(3)]
    sold = (await service.create(SELLER, details)).id
    await service.follow_order(OrderScenario(sold).completed)
    others = (await service.create(new_id(), details)).id

    for _ in range(2):  # the event comes twice
        await departures.on_user_deleted(deleted())

    assert [await status_of(one) for one in on_sale] == [TicketStatus.DELETED] * 3
    assert await status_of(sold) is TicketStatus.SOLD
    assert await status_of(others) is TicketStatus.AVAILABLE
    assert await subjects(tickets, on_sale[0]) == ["ticket.created", "ticket.deleted"]


async def test_a_seat_of_a_deleted_account_that_becomes_free_is_not_offered_again(
    service: TicketService,
    tickets: TicketRepository,
    departures: Departures,
    database: Database,
    details: TicketDetails,
    status_of: Callable[[str], Awaitable[TicketStatus]],
) -> None:
    held, sold = [(await service.create(SELLER, details)).id for _ in range(2)]
    hold, sale = OrderScenario(held), OrderScenario(sold)
    for fact in (hold.created, sale.completed):
        await service.follow_order(fact)
    await departures.on_user_deleted(deleted(at=utc_now() - timedelta(hours=2)))
    await departures.withdraw_all()
    assert [await status_of(one) for one in (held, sold)] == [TicketStatus.HELD, TicketStatus.SOLD]
    assert await database["departures"].count_documents({}) == 0, "it is forgotten, and not needed for the rest"

    for fact in (hold.cancelled, sale.refused):
        await service.follow_order(fact)

    assert [await status_of(one) for one in (held, sold)] == [TicketStatus.DELETED] * 2
    document = await tickets.collection.find_one({"_id": sold})
    assert document is not None
    assert document["outbox"][-1]["subject"].startswith("ticket.deleted.")


async def test_the_free_seats_of_a_listing_that_is_sold_in_part_are_withdrawn(
    service: TicketService, tickets: TicketRepository, departures: Departures, details: TicketDetails
) -> None:
    listed = (await service.create(SELLER, replace(details, quantity=5))).id
    sale, hold = OrderScenario(listed), OrderScenario(listed, minute=1)
    for fact in (sale.completed, hold.created):
        await service.follow_order(fact)

    await departures.on_user_deleted(deleted())

    ticket = await tickets.get(listed)
    assert (ticket.status, ticket.quantity, ticket.free_seats) == (TicketStatus.HELD, 2, 0)
    with pytest.raises(TicketNotOwnedError):  # by a request that was admitted before the deletion
        await service.edit(listed, SELLER, replace(details, quantity=9))
    await service.follow_order(hold.cancelled)
    ticket = await tickets.get(listed)
    assert (ticket.status, ticket.quantity, ticket.free_seats) == (TicketStatus.SOLD, 1, 0)


async def test_a_listing_that_was_created_at_the_moment_of_the_deletion_is_withdrawn(
    service: TicketService,
    departures: Departures,
    details: TicketDetails,
    status_of: Callable[[str], Awaitable[TicketStatus]],
) -> None:
    await departures.on_user_deleted(deleted())
    late = (await service.create(SELLER, details)).id
    assert await departures.withdraw_all() == 1
    assert await status_of(late) is TicketStatus.DELETED


async def test_a_departure_is_forgotten_after_an_hour(departures: Departures, database: Database) -> None:
    await departures.on_user_deleted(deleted(at=utc_now() - timedelta(hours=2)))
    await departures.on_user_deleted(deleted(young := new_id()))

    await departures.withdraw_all()

    assert [one["_id"] async for one in database["departures"].find()] == [young]


async def test_more_listings_than_one_batch_are_withdrawn(
    service: TicketService,
    tickets: TicketRepository,
    departures: Departures,
    details: TicketDetails,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ticketing_tickets.departures.AT_ONCE", 2)
    for _ in range(5):
        await service.create(SELLER, details)
    await departures.on_user_deleted(deleted())
    assert await tickets.list_offered_ids(SELLER, after="", limit=10) == []


async def test_a_listing_that_cannot_be_read_stops_neither_the_others_nor_other_departures(
    service: TicketService,
    tickets: TicketRepository,
    departures: Departures,
    details: TicketDetails,
    status_of: Callable[[str], Awaitable[TicketStatus]],
) -> None:
    first, second = sorted((new_id(), new_id()))
    broken, own, other = [(await service.create(seller, details)).id for seller in (first, first, second)]
    await tickets.collection.update_one({"_id": broken}, {"$set": {"version": "?"}})
    with pytest.raises(ValueError, match="version"):  # the event is redelivered
        await departures.on_user_deleted(deleted(first))
    assert await status_of(own) is TicketStatus.DELETED
    await departures._collection.insert_one({"_id": second, "deleted_at": utc_now()})
    assert await departures.withdraw_all() == 1
    assert await status_of(other) is TicketStatus.DELETED
