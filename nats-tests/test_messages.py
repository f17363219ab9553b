"""Faults of message delivery: duplicates, reordering, gaps, and messages that cannot be handled."""

import random
from collections import Counter

import pytest
from commands import ticketing
from event_system import EventSystem, Recorded
from parts import PublishingService
from traffic import DirectTickets, flowing

from ticketing_common.entity import new_id
from ticketing_common.errors import PermanentError
from ticketing_common.events import TicketEvent, TicketStatus
from ticketing_common.topology import DEAD_LETTERS, TICKETS
from ticketing_testkit.waiting import until
from ticketing_tickets.domain import TicketDetails

SERVICES = ("orders", "search")
UNLUCKY = "Seat thirteen"


async def history(system: EventSystem) -> tuple[PublishingService, list[Recorded]]:
    """Some hundred commits, all published before any subscriber exists; the stream is empty afterwards."""
    publisher = await system.publisher()
    async with flowing(DirectTickets(publisher), system.ledger) as traffic:
        await traffic.more(200)
    await system.settle()
    recorded = await system.recorded()
    assert Counter(message.version for message in recorded) == Counter(system.ledger.versions)
    await system.observer.js.purge_stream(TICKETS)
    return publisher, recorded


async def follow(system: EventSystem) -> None:
    for service in SERVICES:
        await system.subscriber(service)


async def test_a_duplicate_event_is_applied_once(system: EventSystem) -> None:
    _, recorded = await history(system)
    await follow(system)

    await system.publish([message for message in recorded for _ in range(2)])
    await system.publish(recorded)  # and all of them again, later

    await system.agree()
    for service in SERVICES:
        assert len(system.subscribers[service][0].handled) == 3 * len(recorded)


@pytest.mark.parametrize("order", ["shuffled", "backwards"])
async def test_reordered_events_end_in_the_newest_version(system: EventSystem, order: str) -> None:
    _, recorded = await history(system)
    if order == "shuffled":
        random.Random(7).shuffle(recorded)  # noqa: S311 (repeatable, not secret)
    else:
        recorded.reverse()
    await follow(system)

    await system.publish(recorded)

    await system.agree()


async def test_a_missing_version_delays_no_later_one(system: EventSystem) -> None:
    _, recorded = await history(system)
    newest = {(state.id, state.version) for state in system.ledger.newest.values()}
    lost = {version for version in system.ledger.versions - newest if version[1] > 1}
    assert len(lost) > 30
    await follow(system)

    await system.publish([message for message in recorded if message.version not in lost])

    await system.agree()


async def test_a_missing_newest_version_is_replaced_by_the_next(system: EventSystem) -> None:
    publisher, recorded = await history(system)
    edited = [
        state
        for state in system.ledger.newest.values()
        if state.version > 1 and state.status is not TicketStatus.DELETED
    ]
    lost = {(state.id, state.version) for state in edited}
    await follow(system)

    await system.publish([message for message in recorded if message.version not in lost])
    await system.settle()
    behind = await system.differences()
    assert len(behind) == len(SERVICES) * len(edited), "a projection cannot have a version that was never delivered"

    tickets = DirectTickets(publisher)
    for state in edited:
        system.ledger.note(await tickets.edit(state.id, TicketDetails(title="Next", price_cents=state.price_cents + 1)))
    await system.agree()


async def test_a_message_that_cannot_be_handled_becomes_a_dead_letter(system: EventSystem, nats_url: str) -> None:
    publisher = await system.publisher()
    tickets = DirectTickets(publisher)
    repaired = False

    async def stumble(event: TicketEvent) -> None:
        if event.data.title == UNLUCKY and not repaired:
            raise PermanentError("thirteen is not a seat number")

    await system.subscriber("orders", before=stumble)
    await system.subscriber("search")

    async with flowing(tickets, system.ledger) as traffic:
        await traffic.more(50)
        system.ledger.note(unlucky := await tickets.create(TicketDetails(title=UNLUCKY, price_cents=1_300)))
        await system.publish(
            [Recorded(f"ticket.updated.{new_id()}", b"\xff"), Recorded(f"ticket.created.{new_id()}", b'{"data": {}}')]
        )
        await traffic.more(100)

    async def all_stored() -> bool:
        return len(await system.dead_letters()) == 5

    await until(all_stored)
    await system.settle()
    letters = {(letter.consumer, letter.error.partition(":")[0]) for letter in await system.dead_letters()}
    assert letters == {("orders-tickets", "PermanentError"), ("search-tickets", "PermanentError")}
    assert await system.differences() == [f"orders does not have 1 tickets: {unlucky.id}"]

    repaired = True
    (number,) = [number for number, letter in enumerate(await system.dead_letters(), 1) if unlucky.id in letter.subject]
    await ticketing("dead-letters", "replay", str(number), nats_url=nats_url)

    await system.agree()
    assert (await system.observer.js.stream_info(DEAD_LETTERS)).state.messages == 4
