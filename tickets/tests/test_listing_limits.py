"""The limits on listings of one account, and of one address with many accounts."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from ticketing_common.entity import new_id
from ticketing_testkit.apps import Bus, Identity, run_app
from ticketing_tickets.app import create_app
from ticketing_tickets.settings import Settings

LISTING = {"title": "Seat 7", "price": 19.99}


@pytest.fixture
async def client(service_settings: dict[str, Any], bus: Bus) -> AsyncIterator[httpx.AsyncClient]:
    async with run_app(create_app(Settings.model_validate(service_settings))) as client:
        yield client


async def test_of_150_listings_at_once_120_are_taken(client: httpx.AsyncClient, identity: Identity) -> None:
    seller = identity.headers(new_id())
    answers = [await client.post("/api/tickets", json=LISTING, headers=seller) for _ in range(150)]
    assert Counter(answer.status_code for answer in answers) == {201: 120, 429: 30}
    assert all(1 <= int(answer.headers["Retry-After"]) <= 60 for answer in answers if answer.status_code == 429)
    assert answers[0].headers["RateLimit-Policy"] == '"listings-address";q=600;w=60, "listings";q=120;w=60'
    assert answers[-1].headers["content-type"] == "application/problem+json"
    other = await client.post("/api/tickets", json=LISTING, headers=identity.headers(new_id()))
    assert other.status_code == 201
    assert (await client.get("/api/tickets")).status_code == 200


async def test_changes_and_deletions_count_as_well(
    service_settings: dict[str, Any], bus: Bus, identity: Identity
) -> None:
    settings = Settings.model_validate(service_settings | {"rate_limit_listings": "3/minute"})
    seller = identity.headers(new_id())
    async with run_app(create_app(settings)) as client:
        ticket = (await client.post("/api/tickets", json=LISTING, headers=seller)).json()
        path = f"/api/tickets/{ticket['id']}"
        for _ in range(2):
            assert (await client.put(path, json=LISTING, headers=seller)).status_code == 200
        for answer in (
            await client.put(path, json=LISTING, headers=seller),
            await client.delete(path, headers=seller),
            await client.post("/api/tickets", json=LISTING, headers=seller),
        ):
            assert answer.status_code == 429


async def test_one_address_with_many_accounts_is_slowed_down(
    service_settings: dict[str, Any], bus: Bus, identity: Identity
) -> None:
    settings = Settings.model_validate(service_settings | {"rate_limit_listings_address": "3/minute"})
    async with run_app(create_app(settings)) as client:
        statuses = [
            (await client.post("/api/tickets", json=LISTING, headers=identity.headers(new_id()))).status_code
            for _ in range(5)
        ]
    assert statuses == [201] * 3 + [429] * 2


async def test_a_request_without_a_session_is_a_401_and_counts_for_no_account(client: httpx.AsyncClient) -> None:
    answers = [await client.post("/api/tickets", json=LISTING) for _ in range(40)]
    assert {answer.status_code for answer in answers} == {401}
