"""When a stale response is sent, and which failures count as an unavailable database."""

import asyncio
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace

import httpx
import pytest
from pymongo.errors import ServerSelectionTimeoutError

from ticketing_common.errors import OverloadedError
from ticketing_common.web import response_cache
from ticketing_common.web.deadline import MIN_CLIENT_TIMEOUT_SECONDS, DeadlineMiddleware
from ticketing_common.web.request_scope import RequestScopeMiddleware

from ..conftest import LoopClock
from .shop import Shop

pytestmark = pytest.mark.unit


async def stale(client: httpx.AsyncClient) -> bool:
    answer = await client.get("/list")
    assert answer.status_code == 200
    return "Age" in answer.headers


async def test_an_unavailable_database_gets_no_query_for_a_while(
    client: httpx.AsyncClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_cache, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(response_cache, "LEFT_ALONE_SECONDS", 60.0)
    await client.get("/list")
    shop.away = ServerSelectionTimeoutError()
    assert [await stale(client) for _ in range(20)] == [True] * 20
    assert shop.calls == 2, "the first, and the one that failed"

    monkeypatch.setattr(response_cache, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + 100))
    shop.gate.clear()
    shop.away = None
    probe = asyncio.create_task(stale(client))
    while shop.calls < 3:  # noqa: ASYNC110 (one turn of the loop after the other)
        await asyncio.sleep(0)
    assert [await stale(client) for _ in range(20)] == [True] * 20, "one request probes, the others do not wait for it"
    assert shop.calls == 3
    shop.gate.set()
    assert not await probe
    assert not await stale(client)


async def test_a_change_event_ends_the_wait(
    client: httpx.AsyncClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_cache, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(response_cache, "LEFT_ALONE_SECONDS", 60.0)
    await client.get("/list")
    shop.away = ServerSelectionTimeoutError()
    assert await stale(client)
    shop.away = None
    assert await stale(client)
    shop.changes.note()
    assert not await stale(client)


async def test_an_overloaded_service_is_not_an_unavailable_database(
    client: httpx.AsyncClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_cache, "FRESH_SECONDS", 0.0)
    await client.get("/list")
    shop.away = OverloadedError()
    assert await stale(client)
    shop.away = None
    assert not await stale(client)


async def settled(request: asyncio.Task[httpx.Response]) -> None:
    """Return when the request is done, or waits for time to pass."""
    for _ in range(100):
        if request.done():
            break
        await asyncio.sleep(0)


SHORT_TIMEOUT = {"X-Envoy-Expected-Rq-Timeout-Ms": "0"}


@pytest.fixture
async def outside(shop: Shop) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the list through the middleware for the caller's timeout and for errors."""
    app = RequestScopeMiddleware(DeadlineMiddleware(shop.app, seconds=60), service="test", behind_tls=True)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
        yield client


@pytest.mark.parametrize("query", ["", "?never=cached"])
async def test_a_caller_with_a_short_timeout_makes_the_list_stale_for_no_other(
    outside: httpx.AsyncClient, shop: Shop, monkeypatch: pytest.MonkeyPatch, loop_clock: LoopClock, query: str
) -> None:
    monkeypatch.setattr(response_cache, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(response_cache, "LEFT_ALONE_SECONDS", 60.0)
    await outside.get("/list")
    shop.gate.clear()
    for _ in range(3):
        request = asyncio.create_task(outside.get(f"/list{query}", headers=SHORT_TIMEOUT))
        await settled(request)
        await loop_clock.advance(MIN_CLIENT_TIMEOUT_SECONDS - response_cache.ANSWER_SECONDS / 2)
        await settled(request)
        assert request.done() == (not query)
        await loop_clock.advance(MIN_CLIENT_TIMEOUT_SECONDS)
        answer = await request
        assert answer.status_code == (503 if query else 200)
        assert ("Age" in answer.headers) == (not query)
    shop.gate.set()
    assert not await stale(outside)


async def test_a_caller_with_a_short_timeout_does_not_probe_for_the_others(
    outside: httpx.AsyncClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its timeout would end first, and no other request would probe for a further second, without end."""
    monkeypatch.setattr(response_cache, "FRESH_SECONDS", 0.0)
    await outside.get("/list")
    shop.away = ServerSelectionTimeoutError()
    assert await stale(outside)
    shop.away = None
    monkeypatch.setattr(response_cache, "LEFT_ALONE_SECONDS", 60.0)
    monkeypatch.setattr(response_cache, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + 100))
    shop.gate.clear()
    for _ in range(3):
        assert "Age" in (await outside.get("/list", headers=SHORT_TIMEOUT)).headers
    shop.gate.set()
    assert not await stale(outside)


async def test_one_slow_query_is_not_an_unavailable_database(
    outside: httpx.AsyncClient, shop: Shop, monkeypatch: pytest.MonkeyPatch, loop_clock: LoopClock
) -> None:
    """A caller may choose a slow query; the database answers other requests meanwhile."""
    monkeypatch.setattr(response_cache, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(response_cache, "LEFT_ALONE_SECONDS", 60.0)
    monkeypatch.setattr(response_cache, "PATIENCE_SECONDS", 0.3)
    await outside.get("/list?slow")
    shop.gate.clear()
    slow = asyncio.create_task(outside.get("/list?slow"))
    while shop.calls < 2:  # noqa: ASYNC110 (one turn of the loop after the other)
        await asyncio.sleep(0)
    while shop.made < 2:  # noqa: ASYNC110 (it waits at the closed gate)
        await asyncio.sleep(0)
    shop.gate, closed = asyncio.Event(), shop.gate
    shop.gate.set()
    assert not await stale(outside)
    await loop_clock.advance(0.3)
    assert "Age" in (await slow).headers
    assert not closed.is_set()
    assert not await stale(outside)
