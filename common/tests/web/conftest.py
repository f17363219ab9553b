"""A small service with all conventions: resources that are created, shown, listed, and that fail."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from ticketing_common.delivery import ServiceRuntime
from ticketing_common.entity import Entity, new_id
from ticketing_common.errors import ConflictError, TooManyRequestsError, UnavailableError
from ticketing_common.security import CurrentUser
from ticketing_common.settings import EventServiceSettings
from ticketing_common.storage import Repository, reading
from ticketing_common.web import (
    ApiModel,
    CreationId,
    Id,
    Page,
    Price,
    RequestModel,
    ServiceRouter,
    create_service_app,
    from_cents,
    http_protocol,
    idempotent,
    link_next,
    request_bodies,
)
from ticketing_common.web import connections as writing
from ticketing_common.web.pagination import PageRequestDep, instant_key
from ticketing_testkit.apps import Bus, run_app, serve_app

from .raw_http import PATIENT, Server


class LoopClock:
    """The event loop's clock, which stands still until the test moves it on."""

    def __init__(self, now: float) -> None:
        self.now = now

    async def advance(self, seconds: float) -> None:
        """Let so much time pass, and what is due then happen."""
        self.now += seconds
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture
async def loop_clock(monkeypatch: pytest.MonkeyPatch) -> LoopClock:
    """For a test that waits for nothing but this loop: its time limits do not notice how busy the machine is."""
    loop = asyncio.get_running_loop()
    clock = LoopClock(loop.time())
    monkeypatch.setattr(loop, "time", lambda: clock.now)
    return clock


@dataclass(kw_only=True)
class Thing(Entity):
    title: str
    price_cents: int


class ThingRequest(RequestModel):
    title: str
    price: Price
    starts_at: datetime | None = None


class ThingResponse(ApiModel):
    id: str
    title: str
    price: float
    created_at: datetime
    starts_at: datetime | None = None


router = ServiceRouter()


def _response(thing: Thing) -> ThingResponse:
    return ThingResponse(
        id=thing.id, title=thing.title, price=from_cents(thing.price_cents), created_at=thing.created_at
    )


@router.post("", status_code=201)
@idempotent
async def create_thing(body: ThingRequest, _user: CurrentUser, request: Request, thing_id: CreationId) -> ThingResponse:
    things: Repository[Thing] = request.app.state.things
    gate: asyncio.Event | None = request.app.state.gate
    request.app.state.calls += 1
    request.app.state.entered.put_nowait(None)
    if gate is not None:
        await gate.wait()
    if body.title == "taken":
        raise ConflictError("It is taken.")
    if body.title == "busy":
        raise TooManyRequestsError("Slower.", retry_after_seconds=7)
    if body.title == "away":
        raise UnavailableError("Away.", retry_after_seconds=3)
    if body.title == "bug":
        raise RuntimeError("a secret of the inside")
    thing = await things.add_once(Thing(id=thing_id or new_id(), title=body.title, price_cents=body.price))
    if body.title == "made, then away" and request.app.state.calls == 1:
        raise UnavailableError("Away.", retry_after_seconds=3)
    return _response(thing)


@router.get("")
async def list_things(page: PageRequestDep, request: Request, response: Response) -> list[ThingResponse]:
    things: Repository[Thing] = request.app.state.things
    after = page.position(instant_key)
    beyond = (
        {"$or": [{"created_at": {"$gt": after[0]}}, {"created_at": after[0], "_id": {"$gt": after[1]}}]}
        if after
        else {}
    )
    with reading(things.collection):
        ordered = things.collection.find(beyond).sort([("created_at", 1), ("_id", 1)])
        documents = await ordered.limit(page.limit + 1).to_list(None)
    found = [things.to_entity(document) for document in documents]
    cut = Page.cut(found, page.limit, lambda last: (last.created_at, last.id))
    link_next(request, response, cut)
    return [_response(thing) for thing in cut.items]


@router.get("/{id}")
async def show_thing(id: Id, request: Request) -> ThingResponse:  # noqa: A002 (the path says {id})
    return _response(await request.app.state.things.get(id))


@pytest.fixture
def app(service_settings: dict[str, object], bus: Bus) -> FastAPI:
    """On a bus with the stream of ended sessions, which every service reads before it is ready."""

    @asynccontextmanager
    async def assemble(app: FastAPI, runtime: ServiceRuntime) -> AsyncIterator[None]:
        app.state.things = Repository(runtime.outbox("things"), Thing)
        app.state.gate = None
        app.state.entered = asyncio.Queue()
        app.state.calls = 0
        runtime.add_stores(app.state.things)
        yield

    settings = EventServiceSettings.model_validate({"service_name": "things", **service_settings})
    app = create_service_app(settings, title="Things", prefix="/api/things", routers=[router], assemble=assemble)
    app.state.assemble = assemble
    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with run_app(app) as client:
        yield client


@pytest.fixture
async def server(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    """A service behind the real HTTP server, with long time limits. A test of a limit shortens that one."""
    for name in ("HEAD_SECONDS", "DRAIN_SECONDS", "WRITE_SECONDS"):
        monkeypatch.setattr(http_protocol, name, PATIENT)
    monkeypatch.setattr(writing, "WRITE_SECONDS", PATIENT)
    monkeypatch.setattr(request_bodies, "GRACE_SECONDS", PATIENT)
    async with serve_app(app) as client:
        server = Server(client)
        try:
            yield server
        finally:
            await server.close()
