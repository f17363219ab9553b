"""The list while its database is paused, killed and restarted."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from secrets import token_hex
from typing import Any

import httpx
import pytest

from ticketing_common.entity import utc_now
from ticketing_testkit.apps import Bus, Identity, run_app, service_settings_for
from ticketing_testkit.servers import Mongod
from ticketing_testkit.waiting import until
from ticketing_tickets import schemas
from ticketing_tickets.app import create_app
from ticketing_tickets.settings import Settings

LIST = "/api/tickets?limit=2"


@pytest.fixture
async def client(mongod: Mongod, nats_url: str, bus: Bus, identity: Identity) -> AsyncIterator[httpx.AsyncClient]:
    fields: dict[str, Any] = service_settings_for(
        mongo_url=mongod.url, database=f"test_{token_hex(6)}", nats_url=nats_url, identity=identity
    )
    async with run_app(create_app(Settings.model_validate(fields))) as client:
        client.timeout = httpx.Timeout(60)
        for number in range(3):
            body = {"title": f"Seat {number}", "price": 10}
            made = await client.post("/api/tickets", json=body, headers=identity.headers())
            assert made.status_code == 201
        yield client


async def _once_stale(client: httpx.AsyncClient, path: str = LIST) -> httpx.Response:
    """The first response that is marked as stale."""
    while "Age" not in (answer := await client.get(path)).headers:
        assert answer.status_code == 200
    return answer


async def test_a_list_that_was_seen_is_shown_while_the_database_hangs(
    client: httpx.AsyncClient, mongod: Mongod, identity: Identity
) -> None:
    fresh = await client.get(LIST)
    assert "Age" not in fresh.headers
    with mongod.paused():
        stale = await _once_stale(client)
        unseen = await client.get("/api/tickets?limit=3")
    assert (stale.status_code, stale.json()) == (200, fresh.json())
    assert int(stale.headers["Age"]) >= 0
    assert stale.headers["Warning"].startswith("110 ")
    assert stale.headers["Link"] == fresh.headers["Link"]
    assert unseen.status_code == 503
    assert "Retry-After" in unseen.headers

    await client.post("/api/tickets", json={"title": "New", "price": 10}, headers=identity.headers())
    again = await client.get(LIST)
    assert "Warning" not in again.headers
    assert again.json()[0]["title"] == "New"


async def test_callers_with_short_timeouts_do_not_keep_the_list_stale_when_the_database_is_back(
    client: httpx.AsyncClient, mongod: Mongod
) -> None:
    async def impatient() -> None:
        while True:
            await client.get(LIST, headers={"X-Envoy-Expected-Rq-Timeout-Ms": "0"})
            await asyncio.sleep(0.005)  # a cached response never waits, so this loop would let no other caller run

    assert "Age" not in (await client.get(LIST)).headers
    attack = [asyncio.create_task(impatient()) for _ in range(3)]
    try:
        with mongod.paused():
            await _once_stale(client)

        async def fresh() -> bool:
            return "Age" not in (await client.get(LIST)).headers

        await until(fresh)
    finally:
        for caller in attack:
            caller.cancel()
        await asyncio.gather(*attack, return_exceptions=True)


async def test_without_a_database_other_pages_say_so_and_health_stays_honest(
    client: httpx.AsyncClient, mongod: Mongod
) -> None:
    ticket = (await client.get(LIST)).json()[0]
    mongod.kill()
    try:
        listed = await _once_stale(client)
        shown, health = [await client.get(path) for path in (f"/api/tickets/{ticket['id']}", "/healthz")]
    finally:
        mongod.start()
    assert (listed.status_code, listed.headers["Warning"]) == (200, '110 - "Response is Stale"')
    assert (shown.status_code, health.status_code) == (503, 200)
    assert (await client.get(f"/api/tickets/{ticket['id']}")).status_code == 200


async def test_a_listing_that_ends_while_the_database_is_away_is_no_longer_offered(
    client: httpx.AsyncClient, mongod: Mongod, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts_at = utc_now() + timedelta(hours=1)
    body = {"title": "Soon", "price": 10, "startsAt": starts_at.isoformat()}
    made = (await client.post("/api/tickets", json=body, headers=identity.headers())).json()
    everything = "/api/tickets?limit=2&status=all"
    for path in (LIST, everything):
        assert (await client.get(path)).json()[0] == made
    with mongod.paused():
        monkeypatch.setattr(schemas, "utc_now", lambda: starts_at + timedelta(seconds=1))
        listed = await _once_stale(client)
        stale = await _once_stale(client, everything)
    assert made["id"] not in [ticket["id"] for ticket in listed.json()]
    assert stale.headers["Warning"].startswith("110 ")
    assert (stale.json()[0]["id"], stale.json()[0]["status"]) == (made["id"], "ended")
