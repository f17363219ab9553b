"""Requests and the background do not block each other's database threads."""

import asyncio
from collections.abc import Mapping

import pytest

from ticketing_common.resilience import background
from ticketing_common.storage import Collection, Database
from ticketing_common.storage.mongo import THREADS

SLOW = {"$where": "sleep(3000) || true"}


@pytest.fixture
async def things(database: Database) -> Collection:
    await database["things"].insert_one({"_id": "thing"})
    return database["things"]


async def find(things: Collection, query: Mapping[str, object]) -> None:
    assert await things.find_one(query)


async def occupy(things: Collection) -> list[asyncio.Task[None]]:
    """Occupies every thread of the caller's pool with queries that run in the database."""
    queries = [asyncio.create_task(find(things, SLOW)) for _ in range(THREADS)]
    await asyncio.sleep(0)
    return queries


async def test_slow_events_do_not_block_threads_of_requests(things: Collection) -> None:
    with background():
        slow = await occupy(things)
    await find(things, {"_id": "thing"})
    assert not any(query.done() for query in slow), "the request did not wait for any of them"
    await asyncio.gather(*slow)


async def test_slow_requests_do_not_block_threads_of_events(things: Collection) -> None:
    slow = await occupy(things)
    with background():
        await find(things, {"_id": "thing"})
    assert not any(query.done() for query in slow)
    await asyncio.gather(*slow)


async def test_in_a_single_pool_the_next_call_waits(things: Collection) -> None:
    slow = await occupy(things)
    await find(things, {"_id": "thing"})
    assert any(query.done() for query in slow)
    await asyncio.gather(*slow)
