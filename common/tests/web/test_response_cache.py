"""When a list is answered from memory, and when it is asked for anew."""

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
from ticketing_common.web.response_cache import ResponseCacheMiddleware

from .conftest import LoopClock

pytestmark = pytest.mark.unit


class Shop:
    """A list that counts how often it was made, and can be held up while it is."""

    def __init__(self) -> None:
        self.made = 0
        self.asked = 0
        self.left: float | None = None
        self.away: Exception | None = None
        self.status = 200
        self.hearing = True
        self.gate = asyncio.Event()
        self.gate.set()
        self.changes = ChangeCounter()
        self.changes.valid_while(lambda: self.hearing)
        self.routes = Starlette(routes=[Route("/list", self.listed), Route("/other", self.listed)])
        self.app = ResponseCacheMiddleware(
            self.ask,
            service="shop",
            path="/list",
            changes=self.changes,
        )

    async def ask(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
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


async def test_after_a_change_it_is_made_anew(client: httpx.AsyncClient, shop: Shop) -> None:
    await client.get("/list")
    shop.changes.note()
    assert (await client.get("/list")).json() == {"made": 2}
    assert (await client.get("/list")).json() == {"made": 2}


async def test_what_changed_while_it_was_made_counts(client: httpx.AsyncClient, shop: Shop) -> None:
    shop.gate.clear()
    first = asyncio.create_task(client.get("/list"))
    while not shop.made:  # noqa: ASYNC110 (one turn of the loop after the other)
        await asyncio.sleep(0)
    shop.changes.note()
    shop.gate.set()
    await first
    assert (await client.get("/list")).json() == {"made": 2}


async def test_while_no_news_arrives_it_is_made_every_time(client: httpx.AsyncClient, shop: Shop) -> None:
    shop.hearing = False
    for number in (1, 2):
        assert (await client.get("/list")).json() == {"made": number}
    shop.hearing = True
    assert (await client.get("/list")).json() == {"made": 3}


async def test_it_is_made_anew_after_a_while_whatever_is_heard(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_cache, "FRESH_SECONDS", 0.0)
    for number in (1, 2):
        assert (await client.get("/list")).json() == {"made": number}


async def test_who_makes_it_knows_how_long_it_is_waited_for(client: httpx.AsyncClient, shop: Shop) -> None:
    """So that no query is left at a database that hangs, where one a second follows it."""
    await client.get("/list")
    assert shop.left is None, "there is nothing else to show"
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


async def test_a_refusal_is_not_remembered(client: httpx.AsyncClient, shop: Shop) -> None:
    shop.status = 422
    await client.get("/list")
    shop.status = 200
    assert (await client.get("/list")).status_code == 200


async def test_what_is_too_large_is_not_remembered(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_cache, "MAX_BODY_BYTES", 5)
    for number in (1, 2):
        assert (await client.get("/list")).json() == {"made": number}


async def test_the_oldest_is_forgotten(client: httpx.AsyncClient, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_cache, "REMEMBERED", 2)
    for query in ("a", "b", "c", "c", "b", "a"):
        await client.get(f"/list?{query}")
    assert shop.made == 4


async def stale(client: httpx.AsyncClient) -> bool:
    answer = await client.get("/list")
    assert answer.status_code == 200
    return "Age" in answer.headers


async def test_a_database_that_is_away_is_left_alone_for_a_while(
    client: httpx.AsyncClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_cache, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(response_cache, "LEFT_ALONE_SECONDS", 60.0)
    await client.get("/list")
    shop.away = ServerSelectionTimeoutError()
    assert [await stale(client) for _ in range(20)] == [True] * 20
    assert shop.asked == 2, "the first, and the one that found out"

    monkeypatch.setattr(response_cache, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + 100))
    shop.gate.clear()
    shop.away = None
    finding_out = asyncio.create_task(stale(client))
    while shop.asked < 3:  # noqa: ASYNC110 (one turn of the loop after the other)
        await asyncio.sleep(0)
    assert [await stale(client) for _ in range(20)] == [True] * 20, "one tries, the others do not wait for it"
    assert shop.asked == 3
    shop.gate.set()
    assert not await finding_out
    assert not await stale(client)


async def test_a_change_that_is_heard_of_ends_the_wait(
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


async def test_a_busy_service_is_not_a_database_that_is_away(
    client: httpx.AsyncClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_cache, "FRESH_SECONDS", 0.0)
    await client.get("/list")
    shop.away = OverloadedError()
    assert await stale(client)
    shop.away = None
    assert not await stale(client)


async def settled(asking: asyncio.Task[httpx.Response]) -> None:
    """Until it is done, or waits for time to pass."""
    for _ in range(100):
        if asking.done():
            break
        await asyncio.sleep(0)


IMPATIENT = {"X-Envoy-Expected-Rq-Timeout-Ms": "0"}


@pytest.fixture
async def outside(shop: Shop) -> AsyncIterator[httpx.AsyncClient]:
    """As a stranger reaches the list: through the deadline that the stranger chooses, and errors as answers."""
    app = ProblemMiddleware(DeadlineMiddleware(shop.app, seconds=60))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
        yield client


@pytest.mark.parametrize("query", ["", "?never=asked"])
async def test_a_caller_without_patience_makes_the_list_stale_for_no_other(
    outside: httpx.AsyncClient, shop: Shop, monkeypatch: pytest.MonkeyPatch, loop_clock: LoopClock, query: str
) -> None:
    monkeypatch.setattr(response_cache, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(response_cache, "LEFT_ALONE_SECONDS", 60.0)
    await outside.get("/list")
    shop.gate.clear()
    for _ in range(3):
        asking = asyncio.create_task(outside.get(f"/list{query}", headers=IMPATIENT))
        await settled(asking)
        await loop_clock.advance(MIN_CLIENT_TIMEOUT_SECONDS - response_cache.ANSWER_SECONDS / 2)
        await settled(asking)
        assert asking.done() == (not query)
        await loop_clock.advance(MIN_CLIENT_TIMEOUT_SECONDS)
        answer = await asking
        assert answer.status_code == (503 if query else 200)
        assert ("Age" in answer.headers) == (not query)
    shop.gate.set()
    assert not await stale(outside)


async def test_a_caller_without_patience_does_not_ask_for_all_the_others(
    outside: httpx.AsyncClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would give up first, and the others would be told to wait for another second, for ever."""
    monkeypatch.setattr(response_cache, "FRESH_SECONDS", 0.0)
    await outside.get("/list")
    shop.away = ServerSelectionTimeoutError()
    assert await stale(outside)
    shop.away = None
    monkeypatch.setattr(response_cache, "LEFT_ALONE_SECONDS", 60.0)
    monkeypatch.setattr(response_cache, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + 100))
    shop.gate.clear()
    for _ in range(3):
        assert "Age" in (await outside.get("/list", headers=IMPATIENT)).headers
    shop.gate.set()
    assert not await stale(outside)


async def test_one_slow_question_is_no_database_that_is_away(
    outside: httpx.AsyncClient, shop: Shop, monkeypatch: pytest.MonkeyPatch, loop_clock: LoopClock
) -> None:
    """A caller may choose a question that takes long; the database answers the others meanwhile."""
    monkeypatch.setattr(response_cache, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(response_cache, "LEFT_ALONE_SECONDS", 60.0)
    monkeypatch.setattr(response_cache, "PATIENCE_SECONDS", 0.3)
    await outside.get("/list?slow")
    shop.gate.clear()
    slow = asyncio.create_task(outside.get("/list?slow"))
    while shop.asked < 2:  # noqa: ASYNC110 (one turn of the loop after the other)
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
