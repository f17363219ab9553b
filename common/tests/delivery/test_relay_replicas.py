"""Several relays of one service: one of them sweeps."""

from ticketing_common.events import ExpirationCompleted
from ticketing_common.messaging import NatsConnection
from ticketing_common.storage import Database, Lease
from ticketing_testkit.apps import Bus
from ticketing_testkit.waiting import until

from .conftest import Parcel, to_event
from .replicas import Replica, silent


async def test_entries_of_a_killed_replica_do_not_wait_for_its_lease_to_expire(
    connection: NatsConnection, database: Database, bus: Bus
) -> None:
    assert await Lease(database, "relay", seconds=60).acquire()  # it was killed with it
    await silent(database).add(Parcel(label="a"), to_event)

    async with Replica(connection, database).running() as replica:
        await bus.expect(ExpirationCompleted, lambda event: event.data.order_id == "a")
        await until(replica.has_published(1))


async def test_one_of_two_relays_sweeps_and_the_other_takes_over(
    connection: NatsConnection, database: Database, bus: Bus
) -> None:
    async with Replica(connection, database, lease_seconds=60).running() as second:
        async with Replica(connection, database, lease_seconds=60).running() as first:
            await silent(database).add(Parcel(label="a"), to_event)
            await bus.expect(ExpirationCompleted, lambda event: event.data.order_id == "a")

            async def one_has_swept() -> bool:
                return sorted([first.published("sweep"), second.published("sweep")]) == [0, 1]

            await until(one_has_swept)

        # A replica that stopped in order has released its lease.
        await silent(database).add(Parcel(label="b"), to_event)
        await bus.expect(ExpirationCompleted, lambda event: event.data.order_id == "b")


async def test_a_relay_without_the_lease_publishes_notified_commits(
    connection: NatsConnection, database: Database, bus: Bus
) -> None:
    assert await Lease(database, "relay", seconds=60).acquire()  # another replica holds it

    async with Replica(connection, database).running() as replica:

        async def caught_up() -> bool:
            return not replica.relay._backlog

        await until(caught_up)
        await replica.parcels.add(Parcel(label="a"), to_event)
        await bus.expect(ExpirationCompleted)

    await until(replica.has_published(1))
    assert (replica.published("notify"), replica.published("sweep")) == (1, 0)
