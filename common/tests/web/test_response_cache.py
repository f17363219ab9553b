"""When a response comes from the cache, and when it is computed again."""

import asyncio
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace

import httpx
import pytest
from pymongo.errors import ServerSelectionTimeoutError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ticketing_common.errors import OverloadedError
from ticketing_common.resilience import time_left
from ticketing_common.web import response_cache
from ticketing_common.web.change_counter import ChangeCounter
from ticketing_common.web.deadline import MIN_CLIENT_TIMEOUT_SECONDS, DeadlineMiddleware
from ticketing_common.web.error_handlers import ProblemMiddleware
from ticketing_common.web.response_cache import ResponseCache, ResponseCacheMiddleware

from .conftest import LoopClock

pytestmark = pytest.mark.unit


class Shop:
    """A list that counts how often it was computed, and can be delayed meanwhile."""

    def __init__(self) -> None:
        self.made = 0
        self.calls = 0
        self.left: float | None = None
        self.away: Exception | None = None
        self.status = 200
        self.receiving = True
        self.gate = asyncio.Event()
        self.gate.set()
        self.changes = ChangeCounter()
        self.changes.valid_while(lambda: self.receiving)
        self.routes = Starlette(routes=[Route("/list", self.listed), Route("/other", self.listed)])
        self.app = ResponseCacheMiddleware(
            self.call,
            service="shop",
            path="/list",
            cache=ResponseCache(self.changes),
        )

    async def call(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.calls += 1
        if self.away is not None:
            raise self.away
        await self.routes(scope, receive, send)

    async def listed(self, request: Request) -> JSONResponse:
        self.made += 1
        self.left = time_left()
        made = self.made
        await self.gate.wait()
        headers = {"Link": "</list?cursor=x>", "Set-Cookie": "of=one caller"}
        return JSONResponse({"made": made}, self.status, headers)


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
async def client(shop: Shop) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(shop.app), base_url="http://shop") as client:
        yield client


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
    while not shop.made:  # noqa: ASYNC110 (one turn of the loop after the other)
        await asyncio.sleep(0)
    shop.changes.note()
    shop.gate.set()
    await first
    assert (await client.get("/list")).json() == {"made": 2}


async def test_concurrent_requests_share_one_computation(
    client: httpx.AsyncClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_cache, "FRESH_SECONDS", 600.0)
    monkeypatch.setattr(response_cache, "TURN_SECONDS", 600.0)
    shop.gate.clear()
    requests = [asyncio.create_task(client.get("/list")) for _ in range(5)]
    while not shop.made:  # noqa: ASYNC110 (one turn of the loop after the other)
        await asyncio.sleep(0)
    for _ in range(100):  # time for the others to come as far
        await asyncio.sleep(0)
    shop.gate.set()
    assert {(await request).content for request in requests} == {b'{"made":1}'}
    assert shop.made == 1


async def test_a_request_does_not_wait_long_for_anothers_computation(
    client: httpx.AsyncClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_cache, "TURN_SECONDS", 0.01)
    shop.gate.clear()
    requests = [asyncio.create_task(client.get("/list")) for _ in range(2)]
    while shop.made < 2:  # noqa: ASYNC110 (the limit of the wait itself is waited for)
        await asyncio.sleep(0.001)
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
    app = ProblemMiddleware(DeadlineMiddleware(shop.app, seconds=60))
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
