"""Load shedding and deadlines: which requests are refused, cancelled or unaffected."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from ticketing_common.resilience import limited_by, time_left
from ticketing_common.settings import ServiceSettings
from ticketing_common.web.deadline import DeadlineMiddleware
from ticketing_common.web.load_shedding import LoadSheddingMiddleware, LoopLag
from ticketing_common.web.request_scope import RequestScopeMiddleware

from .conftest import LoopClock

pytestmark = pytest.mark.unit


class Target:
    """A small application whose requests wait until the test opens the gate."""

    def __init__(self) -> None:
        self.entered: asyncio.Queue[str] = asyncio.Queue()
        self.gate = asyncio.Event()
        self.cancelled: list[str] = []
        self.afterwards = asyncio.Event()
        self.left_afterwards: asyncio.Queue[float | None] = asyncio.Queue()
        self.app = Starlette(
            routes=[
                Route("/slow", self.slow, methods=["GET", "POST"]),
                Route("/left", self.left),
                Route("/quick", self.quick),
                Route("/stream", self.stream),
                Route("/healthz", self.quick),
            ]
        )

    async def slow(self, request: Request) -> JSONResponse:
        self.entered.put_nowait("slow")
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled.append("slow")
            raise
        return JSONResponse({})

    async def quick(self, request: Request) -> JSONResponse:
        async def go_on() -> None:
            await self.gate.wait()
            self.afterwards.set()

        return JSONResponse({}, background=go_on if "later" in request.query_params else None)  # type: ignore[arg-type]

    async def left(self, request: Request) -> JSONResponse:
        async def go_on() -> None:
            self.left_afterwards.put_nowait(time_left())

        return JSONResponse(time_left(), background=go_on)  # type: ignore[arg-type]

    async def stream(self, request: Request) -> StreamingResponse:
        async def events() -> AsyncIterator[bytes]:
            yield b"event: ready\n\n"
            self.entered.put_nowait("stream")
            await self.gate.wait()
            yield b"event: end\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")


@pytest.fixture
def target() -> Target:
    return Target()


def caller(app: ASGIApp) -> httpx.AsyncClient:
    rendered = RequestScopeMiddleware(app, service="test", behind_tls=True)
    return httpx.AsyncClient(transport=httpx.ASGITransport(rendered), base_url="http://test")


def shedding(target: Target, *, lag: float = 0.0, **limits: Any) -> httpx.AsyncClient:
    late = LoopLag("things")
    late.seconds = lag
    limits = {"max_in_flight": 2, "max_lag_seconds": 0.5, **limits}
    return caller(LoadSheddingMiddleware(target.app, service="things", lag=late, **limits))


async def test_requests_over_the_limit_are_refused_before_they_start(target: Target) -> None:
    async with shedding(target) as client:
        begun = [asyncio.create_task(client.get("/slow")) for _ in range(2)]
        for _ in begun:
            await target.entered.get()
        refused = await client.get("/quick")
        assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "1"
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert (await client.get("/healthz")).status_code == 200, "who asks how we are is never refused"
        assert REGISTRY.get_sample_value("requests_in_flight", {"service": "things"}) == 2

        target.gate.set()
        assert {answer.status_code for answer in await asyncio.gather(*begun)} == {200}
        assert (await client.get("/quick")).status_code == 200
        assert REGISTRY.get_sample_value("requests_in_flight", {"service": "things"}) == 0


async def test_without_a_limit_the_same_requests_are_accepted(target: Target) -> None:
    async with shedding(target, max_in_flight=0) as client:
        begun = [asyncio.create_task(client.get("/slow")) for _ in range(2)]
        assert (await client.get("/quick")).status_code == 200
        target.gate.set()
        await asyncio.gather(*begun)


async def test_a_delayed_event_loop_refuses_requests(target: Target) -> None:
    async with shedding(target, lag=0.6) as client:
        assert (await client.get("/quick")).status_code == 503
        assert (await client.get("/healthz")).status_code == 200
    async with shedding(target, lag=0.4) as client:
        assert (await client.get("/quick")).status_code == 200


async def test_one_long_pause_sheds_no_request_and_two_do(loop_clock: LoopClock) -> None:
    """A process that was frozen, or a machine that slept, is not overloaded when it goes on."""
    lag = LoopLag("things")
    async with lag.measured():
        await asyncio.sleep(0)
        await loop_clock.advance(5)  # all that a loop sees of a pause is how late it is
        assert 0.5 < lag.seconds < ServiceSettings.model_fields["max_loop_lag_seconds"].default
        await loop_clock.advance(5)
        assert lag.seconds >= 1


async def test_a_blocked_event_loop_is_measured() -> None:
    lag = LoopLag("things")
    async with lag.measured(), asyncio.timeout(30):
        while lag.seconds < 0.2:
            time.sleep(0.4)  # noqa: ASYNC251 (holding the loop up is what this is about)
            await asyncio.sleep(0)


async def from_stream(app: ASGIApp, target: Target, then: Callable[[], Awaitable[None]]) -> list[bytes]:
    """Call the stream as a server does; httpx's transport returns only complete responses."""
    sent: list[bytes] = []

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    scope = {"type": "http", "method": "GET", "path": "/stream", "query_string": b"", "headers": []}

    async def stream() -> None:
        await app(scope, receive, send)

    streaming = asyncio.create_task(stream())
    await target.entered.get()
    await then()
    target.gate.set()
    await streaming
    return [body for body in sent if body]


async def test_open_streams_do_not_count_as_in_flight(target: Target) -> None:
    app = LoadSheddingMiddleware(
        target.app, service="things", max_in_flight=1, max_lag_seconds=0, lag=LoopLag("things")
    )

    async def call() -> None:
        async with caller(app) as client:
            assert (await client.get("/quick")).status_code == 200

    assert await from_stream(app, target, call) == [b"event: ready\n\n", b"event: end\n\n"]


async def test_a_request_is_cancelled_at_its_deadline(target: Target) -> None:
    async with caller(DeadlineMiddleware(target.app, seconds=0.05)) as client:
        answer = await client.get("/slow")
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
    assert target.cancelled == ["slow"]


async def test_a_shorter_client_timeout_shortens_the_deadline_of_a_read(target: Target) -> None:
    async with caller(DeadlineMiddleware(target.app, seconds=60)) as client:
        answer = await client.get("/slow", headers={"X-Envoy-Expected-Rq-Timeout-Ms": "50"})
    assert (answer.status_code, target.cancelled) == (503, ["slow"])


@pytest.mark.parametrize(
    ("method", "asked"), [("GET", "90000"), ("GET", "soon"), ("GET", "-1"), ("GET", "9" * 5000), ("POST", "50")]
)
async def test_a_client_timeout_neither_extends_a_deadline_nor_shortens_a_write(
    target: Target, method: str, asked: str
) -> None:
    app = DeadlineMiddleware(target.app, seconds=0.3 if method == "GET" else 60)
    async with caller(app) as client:
        calling = asyncio.create_task(
            client.request(method, "/slow", headers={"X-Envoy-Expected-Rq-Timeout-Ms": asked})
        )
        if method == "POST":
            await target.entered.get()
            await asyncio.sleep(0.1)  # twice what was asked for
            target.gate.set()
        assert (await calling).status_code == (200 if method == "POST" else 503)


async def test_a_call_to_another_service_knows_how_much_time_is_left(target: Target, loop_clock: LoopClock) -> None:
    target.gate.set()
    async with caller(DeadlineMiddleware(target.app, seconds=20)) as client:
        left = (await client.get("/left")).json()
        afterwards = await target.left_afterwards.get()
    assert left == 20
    assert afterwards is None, "the response was sent: no caller waits"


async def test_a_clock_within_another_gives_no_time(loop_clock: LoopClock) -> None:
    async with asyncio.timeout(20) as outer, asyncio.timeout(60) as inner:  # noqa: ASYNC100 (clocks that are only read)
        with limited_by(outer), limited_by(inner):
            assert time_left() == 20
            inner.reschedule(loop_clock.now + 5)
            assert time_left() == 5
            inner.reschedule(None)
            assert time_left() == 20
        assert time_left() is None


async def test_a_request_within_its_deadline_is_answered(target: Target) -> None:
    target.gate.set()
    async with caller(DeadlineMiddleware(target.app, seconds=10)) as client:
        assert (await client.get("/slow")).status_code == 200
    assert target.cancelled == []


async def test_a_stream_has_no_deadline(target: Target) -> None:
    app = DeadlineMiddleware(target.app, seconds=0.05)

    async def outlast() -> None:
        await asyncio.sleep(0.1)  # twice the time of a request

    assert await from_stream(app, target, outlast) == [b"event: ready\n\n", b"event: end\n\n"]


async def test_work_after_the_response_is_not_cut_short(target: Target) -> None:
    async with caller(DeadlineMiddleware(target.app, seconds=0.05)) as client:
        calling = asyncio.create_task(client.get("/quick?later=1"))
        await asyncio.sleep(0.1)  # twice the time of a request
        target.gate.set()
        assert (await calling).status_code == 200
    assert target.afterwards.is_set()
