"""What may happen to messages on their way: told twice, out of order, with gaps, or not to be read at all."""

import random
from collections import Counter

import pytest
from commands import ticketing
from parts import PublishingService
from traffic import ServiceDoor, flowing
from world import Recorded, World, until

from ticketing_common.entity import new_id
from ticketing_common.errors import PermanentError
from ticketing_common.events import TicketEvent, TicketStatus
from ticketing_common.events.subjects import DEAD_LETTERS, TICKETS
from ticketing_tickets.domain import TicketDetails

SERVICES = ("orders", "search")
UNLUCKY = "Seat thirteen"


async def history(world: World) -> tuple[PublishingService, list[Recorded]]:
    """Some hundred commits, all told, and nobody there to hear them; the stream is empty afterwards."""
    publisher = await world.publisher()
    async with flowing(ServiceDoor(publisher), world.ledger) as traffic:
        await traffic.more(200)
    await world.settle()
    recorded = await world.recorded()
    assert Counter(message.version for message in recorded) == Counter(world.ledger.versions)
    await world.observer.js.purge_stream(TICKETS)
    return publisher, recorded


async def follow(world: World) -> None:
    for service in SERVICES:
        await world.subscriber(service)


async def test_what_is_told_twice_is_held_once(world: World) -> None:
    _, recorded = await history(world)
    await follow(world)

    await world.publish([message for message in recorded for _ in range(2)])
    await world.publish(recorded)  # and all of it again, long after

    await world.agree()
    for service in SERVICES:
        assert len(world.subscribers[service][0].handled) == 3 * len(recorded)


@pytest.mark.parametrize("order", ["shuffled", "backwards"])
async def test_what_comes_out_of_order_ends_in_the_newest(world: World, order: str) -> None:
    _, recorded = await history(world)
    if order == "shuffled":
        random.Random(7).shuffle(recorded)  # noqa: S311 (repeatable, not secret)
    else:
        recorded.reverse()
    await follow(world)

    await world.publish(recorded)

    await world.agree()


async def test_a_version_that_never_comes_is_not_waited_for(world: World) -> None:
    _, recorded = await history(world)
    newest = {(state.id, state.version) for state in world.ledger.newest.values()}
    lost = {version for version in world.ledger.versions - newest if version[1] > 1}
    assert len(lost) > 30
    await follow(world)

    await world.publish([message for message in recorded if message.version not in lost])

    await world.agree()


async def test_a_newest_version_that_never_comes_is_made_good_by_the_next(world: World) -> None:
    publisher, recorded = await history(world)
    edited = [
        state
        for state in world.ledger.newest.values()
        if state.version > 1 and state.status is not TicketStatus.DELETED
    ]
    lost = {(state.id, state.version) for state in edited}
    await follow(world)

    await world.publish([message for message in recorded if message.version not in lost])
    await world.settle()
    behind = await world.differences()
    assert len(behind) == len(SERVICES) * len(edited), "without its newest version nobody can know a ticket"

    door = ServiceDoor(publisher)
    for state in edited:
        world.ledger.note(await door.edit(state.id, TicketDetails(title="Next", price_cents=state.price_cents + 1)))
    await world.agree()


async def test_a_message_that_nobody_can_handle_is_set_aside_and_the_others_go_on(world: World, nats_url: str) -> None:
    publisher = await world.publisher()
    door = ServiceDoor(publisher)
    mended = False

    async def stumble(event: TicketEvent) -> None:
        if event.data.title == UNLUCKY and not mended:
            raise PermanentError("thirteen is no number of a seat")

    await world.subscriber("orders", before=stumble)
    await world.subscriber("search")

    async with flowing(door, world.ledger) as traffic:
        await traffic.more(50)
        world.ledger.note(unlucky := await door.create(TicketDetails(title=UNLUCKY, price_cents=1_300)))
        await world.publish(
            [Recorded(f"ticket.updated.{new_id()}", b"\xff"), Recorded(f"ticket.created.{new_id()}", b'{"data": {}}')]
        )
        await traffic.more(100)

    async def buried() -> bool:
        return len(await world.dead_letters()) == 5

    await until(buried)
    await world.settle()
    letters = {(letter.consumer, letter.error.partition(":")[0]) for letter in await world.dead_letters()}
    assert letters == {("orders-tickets", "PermanentError"), ("search-tickets", "PermanentError")}
    assert await world.differences() == [f"orders does not have 1 tickets: {unlucky.id}"]

    mended = True
    (number,) = [number for number, letter in enumerate(await world.dead_letters(), 1) if unlucky.id in letter.subject]
    await ticketing("dead-letters", "replay", str(number), nats_url=nats_url)

    await world.agree()
    assert (await world.observer.js.stream_info(DEAD_LETTERS)).state.messages == 4
