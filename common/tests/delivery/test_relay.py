import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from ticketing_common.delivery import relay as relay_module
from ticketing_common.events import ExpirationCompleted
from ticketing_common.messaging import NatsConnection
from ticketing_common.storage import Commit, Database, Outbox, Repository
from ticketing_testkit.apps import Bus
from ticketing_testkit.servers import NatsServer
from ticketing_testkit.waiting import until

from .conftest import Parcel, to_event
from .replicas import Replica, change, silent, versions, waiting


@pytest.fixture
async def replica(connection: NatsConnection, database: Database) -> AsyncIterator[Replica]:
    """A relay whose first sweep found no backlog."""
    async with Replica(connection, database).running() as made:

        async def caught_up() -> bool:
            return not made.relay._backlog

        await until(caught_up)
        yield made


async def test_a_commit_is_published_at_once_and_its_outbox_is_empty(
    replica: Replica, bus: Bus, database: Database
) -> None:
    await replica.parcels.add(Parcel(label="a"), to_event)

    async def empty() -> bool:
        return await waiting(database) == 0

    await until(empty)
    await until(replica.has_published(1))
    assert await versions(bus) == [("a", 1)]
    assert (replica.published("notify"), replica.published("sweep")) == (1, 0)


async def test_every_version_is_published_once_and_in_order(replica: Replica, bus: Bus, database: Database) -> None:
    parcels = [Parcel(label=label) for label in "abcde"]
    for parcel in parcels:
        await replica.parcels.add(parcel, to_event)
    for _ in range(4):
        await asyncio.gather(*(replica.parcels.update(parcel.id, change) for parcel in parcels))

    async def empty() -> bool:
        return await waiting(database) == 0

    await until(empty)
    seen = await versions(bus)
    for label in "abcde":
        assert [version for one, version in seen if one == label] == [1, 2, 3, 4, 5]


async def test_the_sweep_publishes_what_a_crash_left(replica: Replica, bus: Bus, database: Database) -> None:
    await silent(database).add(Parcel(label="a"), to_event)

    await bus.expect(ExpirationCompleted)

    await until(replica.has_published(1))
    assert (replica.published("notify"), replica.published("sweep")) == (0, 1)


async def test_entries_of_an_earlier_process_are_published_first_and_in_order(
    connection: NatsConnection, database: Database, bus: Bus
) -> None:
    before = silent(database)
    old, other = Parcel(label="old"), Parcel(label="other")
    await before.add(old, to_event)
    await before.add(other, to_event)
    await before.update(old.id, change)

    async with Replica(connection, database).running() as replica:
        await replica.parcels.update(old.id, change)
        await replica.parcels.add(Parcel(label="new"), to_event)

        async def empty() -> bool:
            return await waiting(database) == 0

        await until(empty)

    seen = await versions(bus)
    assert [version for label, version in seen if label == "old"] == [1, 2, 3]
    assert seen.index(("other", 1)) < seen.index(("new", 1))


async def test_a_backlog_of_many_batches_is_published_once_and_in_order(
    connection: NatsConnection, database: Database, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "SWEEP_DOCUMENTS", 4)
    before = silent(database)
    parcels = [Parcel(label=str(number)) for number in range(30)]
    for parcel in parcels:
        await before.add(parcel, to_event)
    for _ in range(2):
        await asyncio.gather(*(before.update(parcel.id, change) for parcel in parcels))

    async with Replica(connection, database).running() as replica:

        async def empty() -> bool:
            return await waiting(database) == 0

        await until(empty)
        assert replica.published("sweep") == 90  # no document was in two batches at a time

    seen = await versions(bus)
    assert {label: [version for one, version in seen if one == label] for label, _ in seen} == {
        str(number): [1, 2, 3] for number in range(30)
    }


async def test_an_event_that_was_published_but_not_removed_is_stored_once(
    replica: Replica, bus: Bus, database: Database
) -> None:
    repository = silent(database)
    await repository.add(Parcel(label="a"), to_event)
    ((commit,),) = [commits async for commits in repository.outbox.pending(older_than_seconds=-1, batch=1)]
    entry = commit.entries[0]
    await bus.js.publish(entry.subject, entry.body, headers={"Nats-Msg-Id": entry.id})

    async def empty() -> bool:
        return await waiting(database) == 0

    await until(empty)
    assert await versions(bus) == [("a", 1)]


async def test_during_a_bus_outage_requests_continue_and_the_backlog_drains_in_order(
    replica: Replica, nats_server: NatsServer, bus: Bus, database: Database
) -> None:
    first, second = Parcel(label="first"), Parcel(label="second")
    await replica.parcels.add(first, to_event)
    nats_server.kill()

    async with asyncio.timeout(30):  # and not for each of them until the bus is given up (10 s)
        await replica.parcels.add(second, to_event)
        for _ in range(10):
            await replica.parcels.update(first.id, change)
            await replica.parcels.update(second.id, change)
    assert await waiting(database) >= 20

    await asyncio.to_thread(nats_server.start)

    async def empty() -> bool:
        return await waiting(database) == 0

    await until(empty)
    seen = await versions(bus)
    assert [version for label, version in seen if label == "first"] == list(range(1, 12))
    assert [version for label, version in seen if label == "second"] == list(range(1, 12))

    await replica.parcels.add(Parcel(label="after"), to_event)
    await bus.expect(ExpirationCompleted, lambda event: event.data.order_id == "after")


async def test_under_constant_load_a_relay_switches_from_the_sweep_to_notified_commits(
    connection: NatsConnection, database: Database, bus: Bus
) -> None:
    stop = asyncio.Event()

    async def load(replica: Replica) -> None:
        while not stop.is_set():
            await replica.parcels.add(Parcel(label="a"), to_event)

    async with Replica(connection, database).running() as replica, asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(load(replica))

        async def notified_path() -> bool:
            return replica.published("notify") > 50

        try:
            await until(notified_path, 8)
        finally:
            stop.set()


async def test_a_refused_event_is_parked_and_later_events_are_published(
    replica: Replica, bus: Bus, database: Database
) -> None:
    parcel = Parcel(label="x" * 600_000)
    await replica.parcels.add(parcel, to_event)

    def shorten(one: Parcel) -> Callable[[Parcel], ExpirationCompleted]:
        one.label = "short"
        return to_event

    await replica.parcels.update(parcel.id, shorten)

    event = await bus.expect(ExpirationCompleted, lambda event: event.data.order_id == "short")
    assert event.data.version == 2

    async def nothing_waits() -> bool:
        return await waiting(database) == 0

    await until(nothing_waits)
    assert (await replica.outbox.stats()).parked == 1


async def test_notified_commits_are_published_before_the_relay_stops(
    connection: NatsConnection, database: Database, bus: Bus
) -> None:
    async with Replica(connection, database).running() as replica:

        async def caught_up() -> bool:
            return not replica.relay._backlog

        await until(caught_up)
        await asyncio.gather(*(replica.parcels.add(Parcel(label=str(n)), to_event) for n in range(50)))

    assert len(await versions(bus)) == 50
    assert await waiting(database) == 0


async def test_notifications_are_bounded_and_the_sweep_publishes_the_rest(
    replica: Replica, bus: Bus, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "MAX_NOTIFICATIONS", 5)
    commits: list[Commit] = []
    quiet = Repository(Outbox(database["parcels"], commits.append), Parcel)
    for number in range(20):
        await quiet.add(Parcel(label=str(number)), to_event)

    for commit in commits:
        replica.outbox.committed(commit.document_id, commit.entries)

    async def empty() -> bool:
        return await waiting(database) == 0

    await until(empty)
    assert len(await versions(bus)) == 20
