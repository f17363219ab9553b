"""A request whose deadline passes at the database is answered in time; its commit is complete or absent."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from ticketing_common.entity import new_id, utc_now
from ticketing_common.storage import IdempotencyKeys
from ticketing_common.web import idempotency
from ticketing_testkit.apps import Identity, run_app
from ticketing_testkit.servers import Mongod

REQUEST_SECONDS = 1.0
THING = {"title": "A thing", "price": 10}


@pytest.fixture
def service_settings(service_settings: dict[str, object], mongod: Mongod) -> dict[str, object]:
    return {**service_settings, "mongo_url": mongod.url, "request_seconds": REQUEST_SECONDS}


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with run_app(app) as client:
        client.timeout = httpx.Timeout(60)
        yield client


async def test_a_hanging_commit_is_answered_in_time_and_a_repeat_creates_once(
    client: httpx.AsyncClient, app: FastAPI, identity: Identity, mongod: Mongod
) -> None:
    headers = {**identity.headers(), "Idempotency-Key": "one"}
    app.state.gate = asyncio.Event()
    hanging = asyncio.create_task(client.post("/api/things", json=THING, headers=headers))
    await app.state.entered.get()  # its key is claimed
    with mongod.paused():
        begun = time.monotonic()
        app.state.gate.set()
        answer = await hanging
        took = time.monotonic() - begun
    assert (answer.status_code, answer.json()["title"]) == (503, "It took too long")
    assert took < 8 * REQUEST_SECONDS, "not until the database's own limits (10 s) have passed"

    # The write may have succeeded meanwhile; a repeated request gets the same resource.
    async with asyncio.timeout(30):
        again = await client.post("/api/things", json=THING, headers=headers)
        while again.status_code == 409:  # its first try is still ending
            await asyncio.sleep(0.1)
            again = await client.post("/api/things", json=THING, headers=headers)
    assert again.status_code == 201
    things = await app.state.things.collection.find({}).to_list(None)
    assert [thing["_id"] for thing in things] == [again.json()["id"]]


async def test_a_hanging_read_gets_the_same_answer(client: httpx.AsyncClient, mongod: Mongod) -> None:
    """Not the driver's words, although its limit is at nearly the same time."""
    paths = ["/api/things", f"/api/things/{new_id()}"]
    with mongod.paused():
        answers = await asyncio.gather(*(client.get(path) for path in paths * 3))
    assert {(answer.status_code, answer.json()["title"]) for answer in answers} == {(503, "It took too long")}


async def test_a_key_that_cannot_be_released_expires(
    client: httpx.AsyncClient, app: FastAPI, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_keys: object, _key: str) -> None:
        await asyncio.Event().wait()

    headers = {**identity.headers(), "Idempotency-Key": "two"}
    monkeypatch.setattr(IdempotencyKeys, "release", hang)
    monkeypatch.setattr(idempotency, "GIVE_BACK_SECONDS", 0.1)
    failed = await client.post("/api/things", json={**THING, "title": "bug"}, headers=headers)
    assert failed.status_code == 500, "the error itself is reported, not the deadline"
    kept = await app.state.idempotency_keys._collection.find_one({})
    assert kept["abandoned_at"] > utc_now(), "until then it is taken for one that runs"
