"""What the tests of the orders service share: made-up neighbours, and the service over a real database."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import TypeAlias

import pytest

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import PaymentData, PaymentStatus, TicketData, TicketStatus
from ticketing_common.storage import Database, Outbox, connect
from ticketing_common.testing.apps import Identity, service_settings_for
from ticketing_orders.domain import Order
from ticketing_orders.repository import OrderRepository, PaymentProjection, TicketProjection
from ticketing_orders.service import OrderService
from ticketing_orders.settings import Settings

MakeTicket: TypeAlias = Callable[..., TicketData]
MakePayment: TypeAlias = Callable[..., PaymentData]
MakeOrder: TypeAlias = Callable[..., Order]


@pytest.fixture(scope="session")
def make_ticket() -> MakeTicket:
    """A listing as tickets would tell of it."""

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
    """A payment of an order as payments would tell of it."""

    def make(order: Order, **changes: object) -> PaymentData:
        fields: dict[str, object] = {
            "id": new_id(),
            "version": 2,
            "order_id": order.id,
            "user_id": order.user_id,
            "amount_cents": order.ticket.price_cents,
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

    def make(ticket: TicketData | None = None, *, due: bool = False, user_id: str | None = None) -> Order:
        order = Order.place(ticket or make_ticket(), user_id=user_id or new_id(), window_seconds=900)
        if due:
            order.expires_at = utc_now() - timedelta(seconds=1)
        return order

    return make


@pytest.fixture
async def database(mongo_url: str, database_name: str) -> AsyncIterator[Database]:
    client = connect(mongo_url, application="orders-tests")
    yield client[database_name]
    client.close()


@pytest.fixture
async def orders(database: Database) -> OrderRepository:
    repository = OrderRepository(Outbox(database["orders"]))
    await repository.ensure_indexes()
    return repository


@pytest.fixture
def tickets(database: Database) -> TicketProjection:
    return TicketProjection(database["tickets"])


@pytest.fixture
def service(
    orders: OrderRepository, tickets: TicketProjection, database: Database, mongo_url: str, identity: Identity
) -> OrderService:
    """The use cases over a real database; nobody relays, so what was told stays in the outbox to be looked at."""
    settings = Settings.model_validate(
        service_settings_for(mongo_url=mongo_url, database=database.name, nats_url="nats://unused", identity=identity)
    )
    return OrderService(orders, tickets, PaymentProjection(database["payments"]), settings)
