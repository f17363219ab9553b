"""Two replicas that refuse holds from memory: one behind a real server, one without."""

from collections.abc import AsyncIterator, Callable
from secrets import token_hex
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from ticketing_common.events import TicketData
from ticketing_orders import hold_cache
from ticketing_orders.app import create_app
from ticketing_orders.settings import Settings
from ticketing_testkit.apps import Bus, Identity, run_app, serve_app, service_settings_for

from ..conftest import MakeTicket, RunningOrders

Start = Callable[..., Any]


@pytest.fixture(autouse=True)
def long_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cache entries and locks last as long as a test takes on a busy machine."""
    monkeypatch.setattr(hold_cache, "FRESH_SECONDS", 600.0)
    monkeypatch.setattr(hold_cache, "LOCK_WAIT_SECONDS", 600.0)


@pytest.fixture
def make_app(mongo_url: str, nats_url: str, identity: Identity) -> Callable[..., FastAPI]:
    database = f"test_{token_hex(6)}"

    def make(**settings: Any) -> FastAPI:
        fields: dict[str, Any] = service_settings_for(
            mongo_url=mongo_url, database=database, nats_url=nats_url, identity=identity
        )
        return create_app(Settings.model_validate(fields | settings))

    return make


@pytest.fixture
async def one(make_app: Callable[..., FastAPI], identity: Identity, bus: Bus) -> AsyncIterator[RunningOrders]:
    """Over HTTP, so that refusals need not reach the route: `refuse_at_once`."""
    app = make_app(rate_limit_holds="5/minute")
    async with serve_app(app) as client:
        yield RunningOrders(app, client, identity, bus)


@pytest.fixture
async def other(make_app: Callable[..., FastAPI], identity: Identity, bus: Bus) -> AsyncIterator[RunningOrders]:
    """Without a server, so that every refusal comes from the route."""
    app = make_app()
    async with run_app(app) as client:
        yield RunningOrders(app, client, identity, bus)


@pytest.fixture
def ticket(make_ticket: MakeTicket) -> TicketData:
    return make_ticket()


async def hold(api: RunningOrders, ticket_id: str, user_id: str, key: str = "") -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await api.call("POST", user_id=user_id, json={"ticketId": ticket_id}, headers=headers)


async def succeeds(api: RunningOrders, ticket_id: str, user_id: str) -> bool:
    return (await hold(api, ticket_id, user_id)).status_code == 201


async def keys(api: RunningOrders) -> int:
    total: int = await api.app.state.runtime.collection("idempotency_keys").count_documents({})
    return total
