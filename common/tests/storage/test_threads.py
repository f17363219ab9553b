"""Requests and the background do not wait behind each other at the database."""

import asyncio

import pytest

from ticketing_common.resilience import background
from ticketing_common.storage import Collection, Database
from ticketing_common.storage.mongo import THREADS

SLOW = {"$where": "sleep(3000) || true"}


@pytest.fixture
async def things(database: Database) -> Collection:
    await database["things"].insert_one({"_id": "thing"})
    return database["things"]


async def find(things: Collection, query: dict[str, object]) -> None:
    assert await things.find_one(query)


async def occupy(things: Collection) -> list[asyncio.Task[None]]:
    """Every thread of the caller's pool, with queries that the database really works on."""
    queries = [asyncio.create_task(find(things, SLOW)) for _ in range(THREADS)]
    await asyncio.sleep(0)
    return queries


async def test_slow_events_leave_requests_their_threads(things: Collection) -> None:
    with background():
        slow = await occupy(things)
    await find(things, {"_id": "thing"})
    assert not any(query.done() for query in slow), "the request did not wait for any of them"
    await asyncio.gather(*slow)


async def test_slow_requests_leave_events_their_threads(things: Collection) -> None:
    slow = await occupy(things)
    with background():
        await find(things, {"_id": "thing"})
    assert not any(query.done() for query in slow)
    await asyncio.gather(*slow)


async def test_in_one_pool_the_next_one_does_wait(things: Collection) -> None:
    slow = await occupy(things)
    await find(things, {"_id": "thing"})
    assert any(query.done() for query in slow)
    await asyncio.gather(*slow)
