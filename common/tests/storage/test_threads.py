"""Requests and the background do not block each other's database threads."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext

import pytest
from pymongo import MongoClient

from ticketing_common.resilience import background
from ticketing_common.storage import Collection, Database
from ticketing_common.storage.mongo import THREADS

ENDLESS = {"$where": "sleep(600000) || true"}


@pytest.fixture
async def things(database: Database) -> Collection:
    await database["things"].insert_one({"_id": "thing"})
    return database["things"]


async def find(things: Collection, query: Mapping[str, object]) -> None:
    assert await things.find_one(query)


@asynccontextmanager
async def occupied(
    things: Collection, mongo_url: str, *, by_events: bool = False
) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Inside this block, queries that run in the database occupy every thread of one of the two pools."""
    with background() if by_events else nullcontext():
        queries = [asyncio.create_task(find(things, ENDLESS)) for _ in range(THREADS)]
    await asyncio.sleep(0)
    try:
        yield queries
    finally:
        with MongoClient[dict[str, object]](mongo_url) as operator:
            pending = set(queries)
            while pending:  # a query that was not sent yet cannot be killed yet
                running = await asyncio.to_thread(operator.admin.command, {"currentOp": 1, "ns": things.full_name})
                for one in running["inprog"]:
                    await asyncio.to_thread(operator.admin.command, {"killOp": 1, "op": one["opid"]})
                _, pending = await asyncio.wait(pending, timeout=0.02)
        await asyncio.gather(*queries, return_exceptions=True)


async def test_slow_events_do_not_block_threads_of_requests(things: Collection, mongo_url: str) -> None:
    async with occupied(things, mongo_url, by_events=True) as queries:
        await find(things, {"_id": "thing"})
        assert not any(query.done() for query in queries), "the request did not wait for any of them"


async def test_slow_requests_do_not_block_threads_of_events(things: Collection, mongo_url: str) -> None:
    async with occupied(things, mongo_url) as queries:
        with background():
            await find(things, {"_id": "thing"})
        assert not any(query.done() for query in queries)


async def test_in_a_single_pool_the_next_call_waits(things: Collection, mongo_url: str) -> None:
    async with occupied(things, mongo_url) as queries:

        async def waits() -> bool:
            await find(things, {"_id": "thing"})
            return any(query.done() for query in queries)

        next_call = asyncio.create_task(waits())
        with background():  # a call that does not wait ends in the meantime
            await find(things, {"_id": "thing"})
    assert await next_call
