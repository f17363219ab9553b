"""When a response comes from the cache, and when it is computed again."""

import asyncio

import httpx
import pytest

from ticketing_common.web import response_cache
from ticketing_testkit.waiting import until

from .shop import Shop

pytestmark = pytest.mark.unit


async def test_the_list_is_read_once_while_nothing_changes(client: httpx.AsyncClient) -> None:
    first = await client.get("/list")
    again = await client.get("/list")
    assert first.content == again.content == b'{"made":1}'
    assert again.headers["Link"] == first.headers["Link"]
    assert again.headers["Content-Type"] == "application/json"
    assert "Set-Cookie" not in again.headers
    assert "Age" not in again.headers


async def test_after_a_change_the_response_is_computed_again(client: httpx.AsyncClient, shop: Shop) -> None:
    await client.get("/list")
    shop.changes.note()
    assert (await client.get("/list")).json() == {"made": 2}
    assert (await client.get("/list")).json() == {"made": 2}


async def test_a_change_during_the_computation_counts(client: httpx.AsyncClient, shop: Shop) -> None:
    shop.gate.clear()
    first = asyncio.create_task(client.get("/list"))
    await until(lambda: shop.made)
    shop.changes.note()
    shop.gate.set()
    await first
    assert (await client.get("/list")).json() == {"made": 2}


async def test_concurrent_requests_share_one_computation(
    client: httpx.AsyncClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_cache, "FRESH_SECONDS", 600.0)
    monkeypatch.setattr(response_cache, "SHARED_WAIT_SECONDS", 600.0)
    shop.gate.clear()
    requests = [asyncio.create_task(client.get("/list")) for _ in range(5)]
    await until(lambda: shop.made)
    for _ in range(100):  # time for the others to come as far
        await asyncio.sleep(0)
    shop.gate.set()
    assert {(await request).content for request in requests} == {b'{"made":1}'}
    assert shop.made == 1


async def test_a_request_does_not_wait_long_for_anothers_computation(
    client: httpx.AsyncClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_cache, "SHARED_WAIT_SECONDS", 0.01)
    shop.gate.clear()
    requests = [asyncio.create_task(client.get("/list")) for _ in range(2)]
    await until(lambda: shop.made >= 2)
    shop.gate.set()
    assert {(await request).status_code for request in requests} == {200}


async def test_while_no_change_events_arrive_nothing_is_cached(client: httpx.AsyncClient, shop: Shop) -> None:
    shop.receiving = False
    for number in (1, 2):
        assert (await client.get("/list")).json() == {"made": number}
    shop.receiving = True
    assert (await client.get("/list")).json() == {"made": 3}


async def test_a_response_is_fresh_for_a_second_at_most(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_cache, "FRESH_SECONDS", 0.0)
    for number in (1, 2):
        assert (await client.get("/list")).json() == {"made": number}


async def test_the_endpoint_knows_how_long_the_cache_waits(client: httpx.AsyncClient, shop: Shop) -> None:
    """So its query ends in time at a database that hangs, which gets one query a second."""
    await client.get("/list")
    assert [shop.left] == [None], "there is nothing else to show"  # mypy would keep None for what follows
    shop.changes.note()
    await client.get("/list")
    assert shop.left is not None
    assert 1 < shop.left <= response_cache.PATIENCE_SECONDS


async def test_queries_other_paths_and_methods_are_apart(client: httpx.AsyncClient, shop: Shop) -> None:
    for path in ("/list", "/list?a=1", "/list?a=2", "/other", "/other"):
        await client.get(path)
    assert (await client.head("/list")).content == b""
    assert shop.made == 6
    assert (await client.get("/list?a=1")).json() == {"made": 2}


async def test_a_refusal_is_not_cached(client: httpx.AsyncClient, shop: Shop) -> None:
    shop.status = 422
    await client.get("/list")
    shop.status = 200
    assert (await client.get("/list")).status_code == 200


async def test_a_too_large_response_is_not_cached(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_cache, "MAX_BODY_BYTES", 5)
    for number in (1, 2):
        assert (await client.get("/list")).json() == {"made": number}


async def test_the_oldest_entry_is_evicted(
    client: httpx.AsyncClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_cache, "REMEMBERED", 2)
    for query in ("a", "b", "c", "c", "b", "a"):
        await client.get(f"/list?{query}")
    assert shop.made == 4
