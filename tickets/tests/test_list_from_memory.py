"""The cached list on two replicas: never behind a replica's own changes, and only briefly behind the other's."""

import asyncio
from collections.abc import AsyncIterator, Callable
from secrets import token_hex
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from ticketing_common.storage import connect
from ticketing_testkit.apps import Bus, Identity, run_app, service_settings_for
from ticketing_testkit.waiting import until
from ticketing_tickets.app import create_app
from ticketing_tickets.settings import Settings

LIST = "/api/tickets?limit=100&status=all"
BODY = {"title": "Seat 7", "price": 10}


@pytest.fixture
def database() -> str:
    return f"test_{token_hex(6)}"


@pytest.fixture
def make_app(mongo_url: str, nats_url: str, bus: Bus, identity: Identity, database: str) -> Callable[[], FastAPI]:
    def make() -> FastAPI:
        fields: dict[str, Any] = service_settings_for(
            mongo_url=mongo_url, database=database, nats_url=nats_url, identity=identity
        )
        return create_app(Settings.model_validate(fields | {"rate_limit_listings": "off"}))

    return make


@pytest.fixture
async def one(make_app: Callable[[], FastAPI]) -> AsyncIterator[httpx.AsyncClient]:
    async with run_app(make_app()) as client:
        yield client


@pytest.fixture
async def other(make_app: Callable[[], FastAPI]) -> AsyncIterator[httpx.AsyncClient]:
    async with run_app(make_app()) as client:
        yield client


async def test_an_own_change_is_visible_immediately(one: httpx.AsyncClient, identity: Identity) -> None:
    seller = identity.headers()
    for number in range(1, 20):
        made = (await one.post("/api/tickets", json=BODY, headers=seller)).json()
        assert len((await one.get(LIST)).json()) == number
        path = f"/api/tickets/{made['id']}"
        edited = (await one.put(path, json={**BODY, "title": f"Row {number}"}, headers=seller)).json()
        assert (await one.get(LIST)).json()[0] == edited
    assert (await one.delete(path, headers=seller)).status_code == 204
    assert made["id"] not in [ticket["id"] for ticket in (await one.get(LIST)).json()]


async def test_a_change_at_another_replica_becomes_visible(
    one: httpx.AsyncClient, other: httpx.AsyncClient, identity: Identity
) -> None:
    assert (await other.get(LIST)).json() == []
    made = (await one.post("/api/tickets", json=BODY, headers=identity.headers())).json()

    async def visible() -> object:
        return (await other.get(LIST)).json() == [made]

    await until(visible)


async def test_the_list_is_served_from_the_cache(
    one: httpx.AsyncClient, identity: Identity, mongo_url: str, database: str
) -> None:
    """A change by hand in the database, without an event, is not visible until the second is over."""
    made = (await one.post("/api/tickets", json=BODY, headers=identity.headers())).json()
    client = connect(mongo_url, application="test")
    seen_before = 0
    async with asyncio.timeout(30):
        while not seen_before:  # the event of the ticket may still come in between
            await one.get(LIST)
            await client[database]["tickets"].update_one({"_id": made["id"]}, {"$inc": {"price_cents": 1}})
            stored = await client[database]["tickets"].find_one({"_id": made["id"]})
            assert stored is not None
            price = stored["price_cents"]
            seen_before += (await one.get(LIST)).json()[0]["price"] < price / 100

    async def visible() -> object:
        return (await one.get(LIST)).json()[0]["price"] == price / 100

    await until(visible)
    client.close()
