"""The fixtures of the orders service: data of the other services, and the service over a real database."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from secrets import token_hex
from typing import Any, TypeAlias

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import PaymentData, PaymentStatus, TicketData, TicketStatus
from ticketing_common.storage import Database, Outbox, connect
from ticketing_orders.app import create_app
from ticketing_orders.checkins import CheckinRepository
from ticketing_orders.domain import Order
from ticketing_orders.free_seats import FreeSeats
from ticketing_orders.hold_cache import HoldCache
from ticketing_orders.pass_service import PassService
from ticketing_orders.repository import OrderRepository, PaymentProjection, TicketProjection
from ticketing_orders.service import OrderService
from ticketing_orders.settings import Settings
from ticketing_testkit.apps import Bus, Identity, run_app, service_settings_for
from ticketing_testkit.servers import NatsServer

MakeTicket: TypeAlias = Callable[..., TicketData]
MakePayment: TypeAlias = Callable[..., PaymentData]
MakeOrder: TypeAlias = Callable[..., Order]
MakeSettings: TypeAlias = Callable[..., Settings]


@pytest.fixture(scope="session")
def make_ticket() -> MakeTicket:
    """A listing as tickets would publish it."""

    def make(**changes: object) -> TicketData:
        fields: dict[str, object] = {
            "id": new_id(),
            "version": 1,
            "title": "Opening night",
            "description": None,
            "venue": None,
            "starts_at": None,
            "price_cents": 2_550,
            "currency": "usd",
            "user_id": new_id(),
            "order_id": None,
            "status": TicketStatus.AVAILABLE,
            "created_at": utc_now(),
        }
        return TicketData.model_validate(fields | changes)

    return make


@pytest.fixture(scope="session")
def make_payment() -> MakePayment:
    """A payment of an order as payments would publish it."""

    def make(order: Order, **changes: object) -> PaymentData:
        fields: dict[str, object] = {
            "id": new_id(),
            "version": 2,
            "order_id": order.id,
            "user_id": order.user_id,
            "amount_cents": order.total_cents,
            "currency": order.ticket.currency,
            "status": PaymentStatus.AUTHORIZED,
            "stripe_id": None,
            "created_at": utc_now(),
        }
        return PaymentData.model_validate(fields | changes)

    return make


@pytest.fixture(scope="session")
def make_order(make_ticket: MakeTicket) -> MakeOrder:
    """An order placed long enough ago that its deadline has just passed, or with a window still to run."""

    def make(
        ticket: TicketData | None = None,
        *,
        due: bool = False,
        user_id: str | None = None,
        seats: tuple[int, ...] = (1,),
    ) -> Order:
        order = Order.place(ticket or make_ticket(), user_id=user_id or new_id(), window_seconds=900)
        order.seats = seats
        if due:
            order.expires_at = utc_now() - timedelta(seconds=1)
        return order

    return make


@pytest.fixture
async def orders(database: Database) -> OrderRepository:
    repository = OrderRepository(Outbox(database["orders"]))
    await repository.ensure_indexes()
    return repository


@pytest.fixture
def tickets(database: Database) -> TicketProjection:
    return TicketProjection(database["tickets"])


async def published(orders: OrderRepository, order: Order) -> list[str]:
    """The names of the events of an order, in the order in which they were committed."""
    document = await orders.collection.find_one({"_id": order.id})
    assert document is not None
    return [entry["subject"].rpartition(".")[0] for entry in document["outbox"]]


async def place(service: OrderService, ticket: TicketData, user_id: str | None = None) -> Order:
    """An order of a ticket that the service did not know before."""
    await service.follow_ticket(ticket)
    return await service.place(ticket.id, user_id=user_id or new_id())


class NothingOnItsWay:
    """The progress of a service without a bus."""

    async def handled_until_now(self, *, timeout_seconds: float) -> bool:
        return True


class Replica:
    """The use cases of one process, with a memory of its own; no relay runs, so all events stay in the outbox."""

    def __init__(self, database: Database, settings: Settings, orders: OrderRepository | None = None) -> None:
        self.orders = orders or OrderRepository(Outbox(database["orders"]))
        self.tickets = TicketProjection(database["tickets"])
        self.checkins = CheckinRepository(database["checkins"])
        self.free_seats = FreeSeats(self.orders.taken_seats)
        payments, progress = PaymentProjection(database["payments"]), NothingOnItsWay()
        self.service = OrderService(
            self.orders, self.tickets, payments, HoldCache(), self.free_seats, settings, progress
        )
        self.passes = PassService(self.orders, self.tickets, self.checkins, settings)


@pytest.fixture
def settings(mongo_url: str, database_name: str, identity: Identity) -> MakeSettings:
    """The settings of a replica without a bus; a test may change some."""

    def make(**changes: object) -> Settings:
        fields = service_settings_for(
            mongo_url=mongo_url, database=database_name, nats_url="nats://unused", identity=identity
        )
        return Settings.model_validate(fields | changes)

    return make


@pytest.fixture
async def replicas(mongo_url: str, database_name: str, settings: MakeSettings) -> AsyncIterator[list[Replica]]:
    """Two replicas, each with its own connections."""
    clients = [connect(mongo_url, application=f"orders-{number}") for number in range(2)]
    made = [Replica(client[database_name], settings()) for client in clients]
    await made[0].orders.ensure_indexes()
    await made[0].checkins.ensure_indexes()
    yield made
    for client in clients:
        client.close()


@pytest.fixture
def service(orders: OrderRepository, database: Database, settings: MakeSettings) -> OrderService:
    """The use cases over a database with its indexes."""
    return Replica(database, settings(), orders).service


class RunningOrders:
    """The running service, and calls to it."""

    def __init__(self, app: FastAPI, client: httpx.AsyncClient, identity: Identity, bus: Bus) -> None:
        self.app = app
        self.service: OrderService = app.state.service
        self.repository = OrderRepository(Outbox(app.state.runtime.collection("orders")))
        self.client = client
        self.identity = identity
        self.bus = bus

    async def call(self, method: str, path: str = "", *, user_id: str | None, **request: Any) -> httpx.Response:
        """Call as this user; without a session when None."""
        headers = self.identity.headers(user_id=user_id) if user_id else {}
        return await self.client.request(
            method, "/api/orders" + path, headers={**headers, **request.pop("headers", {})}, **request
        )

    async def hold(self, ticket_id: str, *, user_id: str) -> httpx.Response:
        return await self.call("POST", user_id=user_id, json={"ticketId": ticket_id})

    async def count(self) -> int:
        total: int = await self.repository.collection.count_documents({})
        return total

    @staticmethod
    def assert_problem(answer: httpx.Response, status: int, field: str | None = None) -> None:
        """The response is this refusal, about this field of the request when one is named."""
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["status"] == status
        assert problem["errors"]
        if field:
            assert [error.get("field") for error in problem["errors"]] == [field]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def api(
    mongo_url: str, identity: Identity, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningOrders]:
    """One running service for all the tests here: starting and stopping it takes longer than any of them."""
    database = f"test_{token_hex(6)}"
    nats_server = NatsServer(tmp_path_factory.mktemp("nats"))
    try:
        nats_server.start()
        settings = service_settings_for(
            mongo_url=mongo_url, database=database, nats_url=nats_server.url, identity=identity
        )
        app = create_app(Settings.model_validate(settings | {"rate_limit_holds": "10/minute"}))
        async with Bus.connect(nats_server.url) as bus, run_app(app) as client:
            yield RunningOrders(app, client, identity, bus)
    finally:
        nats_server.stop()
        mongo = connect(mongo_url, application="orders-tests")
        await mongo.drop_database(database)
        mongo.close()


@pytest_asyncio.fixture(loop_scope="module")
async def ticket(api: RunningOrders, make_ticket: MakeTicket) -> TicketData:
    """A ticket in the service's projection."""
    listed = make_ticket()
    await api.service.follow_ticket(listed)
    return listed
