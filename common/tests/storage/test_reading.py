"""A hanging query ends at its request's deadline: in the service, in the driver and in MongoDB."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Mapping

import motor.frameworks.asyncio
import pytest
from pymongo import MongoClient

from ticketing_common.resilience import background, limited_by
from ticketing_common.storage import Collection, DatabaseUnavailableError, connect, reading
from ticketing_common.storage import mongo as mongo_module
from ticketing_common.storage.batches import batched_find, batched_lists
from ticketing_common.storage.mongo import GRACE_SECONDS, THREADS
from ticketing_testkit.servers import Mongod
from ticketing_testkit.waiting import until

SECONDS = 1.0
"""What each request has."""
ENDLESS = {"$where": "sleep(600000) || true"}
SLOW_SECONDS = 4
SLOW = {"$where": f"sleep({SLOW_SECONDS * 1000}) || true"}
SOON = 60.0
"""A ceiling, far below what an endless query takes."""


@pytest.fixture
async def things(mongod: Mongod, database_name: str) -> AsyncIterator[Collection]:
    """Has one connection per thread, so that a blocked one has an effect."""
    client = connect(mongod.url, application="test", pool_size=THREADS)
    collection = client[database_name]["things"]
    await collection.insert_one({"_id": "thing", "kind": "small"})
    yield collection
    client.close()


async def request(things: Collection, query: Mapping[str, object], seconds: float = SECONDS) -> None:
    """A request whose time is spent while it reads."""

    async def read() -> None:
        async with asyncio.timeout(seconds) as clock:
            with limited_by(clock), reading(things):
                await things.find_one(query)

    with pytest.raises(TimeoutError):
        await read()


async def every_thread_is_free() -> None:
    loop, everyone = asyncio.get_running_loop(), threading.Barrier(THREADS)
    try:
        executor = motor.frameworks.asyncio._EXECUTOR
        await asyncio.gather(*(loop.run_in_executor(executor, everyone.wait) for _ in range(THREADS)))
    finally:
        everyone.abort()  # who arrived need not wait for those who could not


async def until_mongodb_works_on(watcher: MongoClient[dict[str, object]], things: Collection, many: int) -> None:
    async def works_on_them() -> bool:
        seen = await asyncio.to_thread(watcher.admin.command, {"currentOp": 1, "ns": things.full_name})
        return len(seen["inprog"]) == many

    await until(works_on_them)


async def test_slow_reads_free_thread_connection_and_mongodb_at_the_deadline(
    things: Collection, mongod: Mongod
) -> None:
    with MongoClient[dict[str, object]](mongod.url) as watcher:
        # Long enough for all of them to be at the database at the same time.
        queries = [asyncio.create_task(request(things, ENDLESS, 4 * SECONDS)) for _ in range(THREADS)]
        await until_mongodb_works_on(watcher, things, THREADS)
        await asyncio.gather(*queries)
        async with asyncio.timeout(SOON):
            await every_thread_is_free()
            await asyncio.gather(*(things.find_one({"_id": "thing"}) for _ in range(THREADS)))
            await until_mongodb_works_on(watcher, things, 0)


async def test_without_the_limit_slow_reads_continue(things: Collection) -> None:
    for _ in range(THREADS):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SECONDS / THREADS):
                await things.find_one(SLOW)
    begun = time.monotonic()
    async with asyncio.timeout(SOON):
        await every_thread_is_free()
    assert time.monotonic() - begun > SLOW_SECONDS - 2 * SECONDS, "only when the queries ended by themselves"


async def test_a_frozen_mongodb_keeps_no_thread(things: Collection, mongod: Mongod) -> None:
    with mongod.paused():
        await asyncio.gather(*(request(things, {"_id": "thing"}) for _ in range(THREADS)))
        async with asyncio.timeout(SOON):
            await every_thread_is_free()
    assert await things.find_one({"_id": "thing"})


async def test_a_read_without_a_deadline_fails_after_the_longest_time_for_an_answer(
    things: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alone, of several that travel together, and in lists: and no query is begun a second time."""
    two_tries = 2 * mongo_module.ANSWER_SECONDS  # of the driver, which knows no other limit by itself
    monkeypatch.setattr(mongo_module, "ANSWER_SECONDS", SECONDS)
    find, lists = batched_find(things), batched_lists(things, "kind", ENDLESS)
    async with asyncio.timeout(0.9 * two_tries):
        with pytest.raises(DatabaseUnavailableError), reading(things):
            await things.find_one(ENDLESS)
    async with asyncio.timeout(0.9 * two_tries):
        with pytest.raises(DatabaseUnavailableError):
            await lists("small")
    assert await find("thing"), "what is quick is as ever"


async def test_batches_at_a_frozen_mongodb_end_too(
    things: Collection, mongod: Mongod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongo_module, "ANSWER_SECONDS", SECONDS)
    find = batched_find(things)
    assert await find("thing")
    with mongod.paused():
        async with asyncio.timeout(SOON):
            outcomes = await asyncio.gather(*(find(f"thing-{n}") for n in range(5)), return_exceptions=True)
    assert all(isinstance(outcome, DatabaseUnavailableError) for outcome in outcomes)


async def test_the_background_has_no_read_limit(things: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mongo_module, "ANSWER_SECONDS", SECONDS)
    with background(), reading(things):
        assert await things.find_one({"$where": f"sleep({4 * SECONDS * 1000}) || true"})


async def test_the_requests_own_deadline_is_raised_first(things: Collection) -> None:
    """Otherwise some requests would report an unavailable database, and others a timeout."""
    for _ in range(3):
        await request(things, ENDLESS)  # a TimeoutError, and no error of the driver's


async def test_a_killed_mongodb_is_reported_without_waiting_for_an_answer(
    things: Collection, mongod: Mongod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongo_module, "ANSWER_SECONDS", 600.0)
    mongod.kill()
    try:
        await until(lambda: not things.database.client.topology_description.has_readable_server())
        async with asyncio.timeout(SOON):  # 3 s are for finding a server
            with pytest.raises(DatabaseUnavailableError), reading(things):
                await things.find_one({"_id": "thing"})
    finally:
        mongod.start()


async def test_the_limit_of_a_read_ends_with_its_block(things: Collection) -> None:
    await request(things, ENDLESS)
    await asyncio.sleep(GRACE_SECONDS)
    assert await things.find_one({"$where": f"sleep({2 * SECONDS * 1000}) || true"}), "it ended with its block"
