"""The service over real servers, by its use cases and by its routes, and events of orders for it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from secrets import token_hex
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import OrderData, OrderReason, OrderStatus, OrderTicket, TicketStatus
from ticketing_common.storage import Database, Outbox
from ticketing_testkit.apps import Bus, Identity, run_app, serve_app, service_settings_for
from ticketing_testkit.servers import NatsServer
from ticketing_tickets.app import create_app
from ticketing_tickets.domain import Ticket, TicketDetails
from ticketing_tickets.repository import OrderProjection, TicketRepository
from ticketing_tickets.service import TicketService
from ticketing_tickets.settings import Settings

SCENARIO_BEGINS = utc_now()
SELLER = "5e11e4" * 4


async def subjects(tickets: TicketRepository, ticket_id: str) -> list[str]:
    """The names of a ticket's events so far, in order: no relay runs here, so all are in the outbox."""
    document = await tickets.collection.find_one({"_id": ticket_id}) or {}
    return [entry["subject"].rpartition(".")[0] for entry in document["outbox"]]


async def state(tickets: TicketRepository, ticket_id: str) -> tuple[TicketStatus, str | None]:
    """A ticket's status and the order that holds it."""
    ticket = await tickets.find(ticket_id)
    assert ticket is not None
    return ticket.status, ticket.order_id


def refused(answer: httpx.Response, status: int, *fields: str | None) -> None:
    """Check that a response is this refusal, about these fields."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    if fields:
        assert [error.get("field") for error in body["errors"]] == list(fields)


class OrderScenario:
    """The events of one order: each fact is the full state at the next version. It was placed at `minute`."""

    def __init__(self, ticket_id: str, *, minute: int = 0) -> None:
        created_at = SCENARIO_BEGINS + timedelta(minutes=minute)
        self.created = OrderData(
            id=new_id(),
            version=1,
            status=OrderStatus.CREATED,
            reason=None,
            user_id=new_id(),
            expires_at=created_at + timedelta(minutes=15),
            created_at=created_at,
            payment_id=None,
            ticket=OrderTicket(id=ticket_id, title="Seat 7", price_cents=1_999, currency="usd"),
        )
        self.id = self.created.id
        self.completed = self.created.model_copy(
            update={"version": 2, "status": OrderStatus.COMPLETE, "payment_id": new_id()}
        )
        self.cancelled = self.created.model_copy(
            update={"version": 2, "status": OrderStatus.CANCELLED, "reason": OrderReason.BUYER}
        )
        self.refused = self.completed.model_copy(
            update={"version": 3, "status": OrderStatus.CANCELLED, "reason": OrderReason.PAYMENT_FAILED}
        )


@pytest.fixture
def details() -> TicketDetails:
    """The details of a listing."""
    return TicketDetails(title="Seat 7", price_cents=1_999, venue="Opera")


@pytest.fixture
def ticket() -> Ticket:
    """A ticket that was never stored."""
    return Ticket(user_id=new_id(), title="Seat 7", price_cents=1_999, currency="usd", venue="Opera")


@pytest.fixture
async def tickets(database: Database) -> TicketRepository:
    repository = TicketRepository(Outbox(database["tickets"]))
    await repository.ensure_indexes()
    return repository


@pytest.fixture
async def orders(database: Database) -> OrderProjection:
    projection = OrderProjection(database["orders"])
    await projection.ensure_indexes()
    return projection


@pytest.fixture
def service(tickets: TicketRepository, orders: OrderProjection) -> TicketService:
    return TicketService(tickets, orders, currency="usd")


@pytest.fixture
async def on_sale(service: TicketService, details: TicketDetails) -> Ticket:
    """A ticket on sale, listed by the use case without the routes."""
    return await service.create(SELLER, details)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def app(mongo_url: str, identity: Identity, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FastAPI]:
    """One service for all tests of this module; each test has its own tickets."""
    nats = NatsServer(tmp_path_factory.mktemp("nats"))
    nats.start()
    database = f"test_{token_hex(6)}"
    addresses = service_settings_for(mongo_url=mongo_url, database=database, nats_url=nats.url, identity=identity)
    try:
        async with Bus.connect(nats.url):  # which declares the streams of the other services
            yield create_app(Settings.model_validate(addresses | {"rate_limit_listings": "off"}))
    finally:
        nats.stop()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def api(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with run_app(app) as client:
        yield client
        database = app.state.runtime.database
        await database.client.drop_database(database.name)


@pytest.fixture
def seller(identity: Identity) -> dict[str, str]:
    return identity.headers(SELLER)


@pytest.fixture
def stranger(identity: Identity) -> dict[str, str]:
    return identity.headers(new_id())


@pytest_asyncio.fixture(loop_scope="module")
async def listed(api: httpx.AsyncClient, seller: dict[str, str]) -> dict[str, Any]:
    """A ticket on sale."""
    answer = await api.post("/api/tickets", json={"title": "Seat 7", "price": 19.99}, headers=seller)
    assert answer.status_code == 201
    ticket: dict[str, Any] = answer.json()
    return ticket


@pytest.fixture
def follow(app: FastAPI) -> Callable[..., Awaitable[None]]:
    """Create or complete an order for a ticket, as if its event had arrived."""

    async def apply(ticket_id: str, fact: str = "created") -> None:
        await app.state.service.follow_order(getattr(OrderScenario(ticket_id), fact))

    return apply


@pytest.fixture
def settings(service_settings: dict[str, object], bus: Bus) -> Settings:
    """Settings of a service with its own bus, which a test may break; the streams of the other services exist."""
    return Settings.model_validate(service_settings)


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Over real sockets, which streams need."""
    async with serve_app(create_app(settings)) as connected:
        yield connected


@pytest.fixture
def sell(client: httpx.AsyncClient, seller: dict[str, str]) -> Callable[..., Awaitable[dict[str, Any]]]:
    """Put a ticket on sale."""

    async def post(title: str = "Seat 7") -> dict[str, Any]:
        answer = await client.post("/api/tickets", json={"title": title, "price": 19.99}, headers=seller)
        assert answer.status_code == 201
        listed: dict[str, Any] = answer.json()
        return listed

    return post
