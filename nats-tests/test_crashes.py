"""Processes killed (SIGKILL) at the most critical lines: no commit is lost, and none is applied twice."""

import pytest
from commands import HERE, run
from event_system import EventSystem
from traffic import DirectTickets, flowing

from ticketing_common.events.subjects import TICKETS
from ticketing_common.messaging import ensure_stream, stream_config
from ticketing_tickets.publishers import ticket_changed
from ticketing_tickets.repository import TicketRepository

KILLED = -9
ACK_WAIT_SECONDS = 1.0
NTH = 7


async def crash(system: EventSystem, service: str, script: str, *arguments: object) -> list[str]:
    """Run the script until it has killed itself; returns the lines that it printed."""
    status, output = await run(
        str(HERE / "crash_points" / f"{script}.py"),
        *map(str, arguments),
        **system.environment(service),
        LOG_LEVEL="error",
        PYTHONPATH=str(HERE),
    )
    assert status == KILLED, output
    return [line for line in output.splitlines() if "[" not in line]  # without log lines


@pytest.mark.parametrize("where", ["before_commit", "before_ack"])
async def test_an_event_is_redelivered_after_its_consumer_is_killed(system: EventSystem, where: str) -> None:
    publisher = await system.publisher()
    subscriber = system.awaited("orders", ack_wait_seconds=ACK_WAIT_SECONDS)

    async with flowing(DirectTickets(publisher), system.ledger) as traffic:
        (subject,) = await crash(system, "orders", "subscriber", where, NTH, ACK_WAIT_SECONDS)
        ticket_id = subject.rpartition(".")[2]
        left = await system.observer.js.consumer_info(TICKETS, subscriber.durable)
        assert left.num_ack_pending > 0
        known = await subscriber.projection.find(ticket_id)
        assert where == "before_commit" or known is not None

        await system.begin(subscriber)
        await traffic.more(50)

    await system.agree()
    assert any(handled == ticket_id for handled, _ in subscriber.handled)
    assert (await system.observer.js.consumer_info(TICKETS, subscriber.durable)).num_redelivered == 0  # none still open


@pytest.mark.parametrize(
    ("where", "forgotten"),
    [("before_publish", False), ("before_removal", False), ("before_removal", True)],
    ids=["before-publish", "before-removal", "before-removal-and-the-broker-has-lost-its-ids"],
)
async def test_an_event_is_published_after_its_producer_is_killed(
    system: EventSystem, where: str, forgotten: bool
) -> None:
    for service in ("orders", "search"):
        await system.subscriber(service)

    printed = await crash(system, "tickets", "publisher", where, NTH)

    outbox = system.outbox()
    async for ticket in TicketRepository(outbox).walk():
        system.ledger.note(ticket_changed(ticket).data)
    assert system.ledger.newest.keys() >= set(printed), "every acknowledged commit is stored"
    batches = outbox.pending(older_than_seconds=-1, batch=100)
    waiting = {commit.document_id async for commits in batches for commit in commits}
    published = await system.published_versions()
    if where == "before_publish":
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
