import asyncio
from datetime import UTC, datetime

from ticketing_common.storage import Database, Lease


async def test_one_of_many_gets_a_lease_that_was_never_taken(database: Database) -> None:
    leases = [Lease(database, "sweep", seconds=60) for _ in range(10)]

    taken = await asyncio.gather(*(lease.acquire() for lease in leases))

    assert sum(taken) == 1


async def test_its_holder_extends_it_and_no_other_acquires_it(database: Database) -> None:
    holder, other = Lease(database, "sweep", seconds=60), Lease(database, "sweep", seconds=60)
    assert await holder.acquire()
    assert await holder.acquire()
    assert not await other.acquire()


async def test_an_expired_lease_can_be_acquired(database: Database) -> None:
    holder, other = Lease(database, "sweep", seconds=60), Lease(database, "sweep", seconds=60)
    assert await holder.acquire()
    await database["leases"].update_one({"_id": "sweep"}, {"$set": {"until": datetime(2020, 1, 1, tzinfo=UTC)}})

    assert await other.acquire()
    assert not await holder.acquire()


async def test_one_of_many_acquires_an_expired_lease(database: Database) -> None:
    assert await Lease(database, "sweep", seconds=0).acquire()
    leases = [Lease(database, "sweep", seconds=60) for _ in range(10)]

    async with asyncio.timeout(30):
        while not sum(taken := await asyncio.gather(*(lease.acquire() for lease in leases))):
            pass

    assert sum(taken) == 1


async def test_a_released_lease_is_free_at_once(database: Database) -> None:
    holder, other = Lease(database, "sweep", seconds=60), Lease(database, "sweep", seconds=60)
    await holder.acquire()
    await other.release()
    assert not await other.acquire()
    await holder.release()
    assert await other.acquire()


async def test_leases_with_different_names_are_independent(database: Database) -> None:
    assert await Lease(database, "sweep", seconds=60).acquire()
    assert await Lease(database, "reconcile", seconds=60).acquire()
