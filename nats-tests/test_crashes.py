"""Processes that are killed (-9) at the worst line: nothing that was committed is lost, and nothing is held twice."""

import pytest
from commands import HERE, run
from traffic import ServiceDoor, flowing
from world import World

from ticketing_common.events.subjects import TICKETS
from ticketing_common.messaging import ensure_stream, stream_config
from ticketing_tickets.publishers import ticket_changed
from ticketing_tickets.repository import TicketRepository

KILLED = -9
ACK_WAIT_SECONDS = 1.0
NTH = 7


async def crash(world: World, service: str, script: str, *arguments: object) -> list[str]:
    """Run it until it has killed itself; the lines that it printed."""
    status, output = await run(
        str(HERE / "crash_points" / f"{script}.py"),
        *map(str, arguments),
        **world.environment(service),
        LOG_LEVEL="error",
        PYTHONPATH=str(HERE),
    )
    assert status == KILLED, output
    return [line for line in output.splitlines() if "[" not in line]  # without what is logged


@pytest.mark.parametrize("where", ["before_commit", "before_ack"])
async def test_an_event_whose_consumer_dies_with_it_comes_again(world: World, where: str) -> None:
    publisher = await world.publisher()
    subscriber = world.awaited("orders", ack_wait_seconds=ACK_WAIT_SECONDS)

    async with flowing(ServiceDoor(publisher), world.ledger) as traffic:
        (subject,) = await crash(world, "orders", "subscriber", where, NTH, ACK_WAIT_SECONDS)
        ticket_id = subject.rpartition(".")[2]
        left = await world.observer.js.consumer_info(TICKETS, subscriber.durable)
        assert left.num_ack_pending > 0
        known = await subscriber.projection.find(ticket_id)
        assert where == "before_commit" or known is not None

        await world.begin(subscriber)
        await traffic.more(50)

    await world.agree()
    assert any(handled == ticket_id for handled, _ in subscriber.handled)
    assert (await world.observer.js.consumer_info(TICKETS, subscriber.durable)).num_redelivered == 0  # none still open


@pytest.mark.parametrize(
    ("where", "forgotten"),
    [("before_publish", False), ("before_removal", False), ("before_removal", True)],
    ids=["before-publish", "before-removal", "before-removal-and-the-broker-has-forgotten-it"],
)
async def test_an_event_whose_producer_dies_with_it_is_told(world: World, where: str, forgotten: bool) -> None:
    for service in ("orders", "search"):
        await world.subscriber(service)

    printed = await crash(world, "tickets", "publisher", where, NTH)

    outbox = world.outbox()
    async for ticket in TicketRepository(outbox).walk():
        world.ledger.note(ticket_changed(ticket).data)
    assert world.ledger.newest.keys() >= set(printed), "what its writer was told is stored"
    batches = outbox.pending(older_than_seconds=-1, batch=100)
    waiting = {commit.document_id async for commits in batches for commit in commits}
    told = await world.told()
    if where == "before_publish":
        assert world.ledger.untold(told), "it died before it told them"
    else:
        assert waiting & {ticket_id for ticket_id, _ in told}, "it died between telling and forgetting"
    if forgotten:
        recorded = await world.recorded()
        await world.observer.js.delete_stream(TICKETS)
        await ensure_stream(world.observer.js, stream_config(TICKETS, replicas=1))
        await world.publish(recorded)

    await world.publisher()  # its next life, which waits until the lease of the last has run out
    await world.agree()

    recorded = await world.recorded()
    assert not world.ledger.untold(message.version for message in recorded)
    assert (len(recorded) > len(world.ledger)) is forgotten, "the broker drops what it has had, as long as it remembers"
