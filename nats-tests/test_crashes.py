"""Processes killed (SIGKILL) at the most critical lines: no commit is lost, and none is applied twice."""

from pathlib import Path

import pytest
from commands import HERE, run
from event_system import EventSystem
from processes import ACK_WAIT_SECONDS
from traffic import DirectTickets, flowing

from ticketing_common.messaging import ensure_stream, stream_config
from ticketing_common.topology import TICKETS
from ticketing_system.crash_points import AFTER_COMMIT, AFTER_PUBLISH, BEFORE_ACK, BEFORE_HANDLING
from ticketing_tickets.publishers import ticket_changed
from ticketing_tickets.repository import TicketRepository

KILLED = -9


async def crash(system: EventSystem, service: str, process: str, point: Path) -> list[str]:
    """Run the process until it has reached the crash point; returns the lines that it printed."""
    status, output = await run(
        *("-m", "ticketing_system.crash_points", str(point.parent), "processes", process, str(point)),
        **system.environment(service),
        LOG_LEVEL="error",
        PYTHONPATH=str(HERE),
    )
    assert status == KILLED, output
    return [line for line in output.splitlines() if "[" not in line]  # without log lines


@pytest.mark.parametrize("point", [BEFORE_HANDLING, BEFORE_ACK])
async def test_an_event_is_redelivered_after_its_consumer_is_killed(
    system: EventSystem, tmp_path: Path, point: str
) -> None:
    publisher = await system.publisher()
    subscriber = system.awaited("orders", ack_wait_seconds=ACK_WAIT_SECONDS)

    async with flowing(DirectTickets(publisher), system.ledger) as traffic:
        await crash(system, "orders", "subscriber", tmp_path / point)
        left = await system.observer.js.consumer_info(TICKETS, subscriber.durable)
        assert left.num_ack_pending
        assert left.ack_floor
        assert left.delivered
        recorded = await system.recorded()
        delivered = {one.version for one in recorded[left.ack_floor.stream_seq : left.delivered.stream_seq]}
        applied = {(ticket.id, ticket.version) for ticket in (await subscriber.held()).values()}
        assert point == BEFORE_HANDLING or delivered & applied

        await system.begin(subscriber)
        await traffic.more(50)

    await system.agree()
    assert delivered & set(subscriber.handled), "delivered to the killed process and again to its successor"
    assert (await system.observer.js.consumer_info(TICKETS, subscriber.durable)).num_redelivered == 0  # none still open


@pytest.mark.parametrize(
    ("point", "forgotten"),
    [(AFTER_COMMIT, False), (AFTER_PUBLISH, False), (AFTER_PUBLISH, True)],
    ids=["before-publish", "before-removal", "before-removal-and-the-broker-has-lost-its-ids"],
)
async def test_an_event_is_published_after_its_producer_is_killed(
    system: EventSystem, tmp_path: Path, point: str, forgotten: bool
) -> None:
    for service in ("orders", "search"):
        await system.subscriber(service)

    printed = await crash(system, "tickets", "publisher", tmp_path / point)

    outbox = system.outbox()
    async for ticket in TicketRepository(outbox).walk():
        system.ledger.note(ticket_changed(ticket).data)
    assert system.ledger.newest.keys() >= set(printed), "every acknowledged commit is stored"
    batches = outbox.pending(older_than_seconds=-1, batch=100)
    waiting = {commit.document_id async for commits in batches for commit in commits}
    published = await system.published_versions()
    if point == AFTER_COMMIT:
        assert system.ledger.unpublished(published), "killed before publishing"
    else:
        assert waiting & {ticket_id for ticket_id, _ in published}, "killed between publishing and removal"
    if forgotten:
        recorded = await system.recorded()
        await system.observer.js.delete_stream(TICKETS)
        await ensure_stream(system.observer.js, stream_config(TICKETS, replicas=1))
        await system.publish(recorded)

    await system.publisher()  # the restarted service waits until the lease of the killed one expires
    await system.agree()

    recorded = await system.recorded()
    assert not system.ledger.unpublished(message.version for message in recorded)
    assert (len(recorded) > len(system.ledger)) is forgotten, "the broker drops duplicates while it has their ids"
