"""The service over a real database, without HTTP or bus, and what other services say of their orders."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import OrderData, OrderReason, OrderStatus, OrderTicket
from ticketing_common.storage import Database, Outbox, connect
from ticketing_tickets.domain import Ticket, TicketDetails
from ticketing_tickets.repository import OrderProjection, TicketRepository
from ticketing_tickets.service import TicketService

STORY_BEGINS = utc_now()


class OrderStory:
    """One order as its events tell it: each fact is the full state at the next version."""

    def __init__(self, ticket_id: str, *, minute: int = 0) -> None:
        created_at = STORY_BEGINS + timedelta(minutes=minute)
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


@pytest.fixture(scope="session")
def order_for() -> Callable[..., OrderStory]:
    """Begin the story of an order for a ticket; `minute` is when it was placed."""
    return OrderStory


@pytest.fixture
def details() -> TicketDetails:
    """What a seller decided."""
    return TicketDetails(title="Seat 7", price_cents=1_999, venue="Opera")


@pytest.fixture
def ticket() -> Ticket:
    """A ticket that was never stored."""
    return Ticket(user_id=new_id(), title="Seat 7", price_cents=1_999, currency="usd", venue="Opera")


@pytest.fixture
async def database(mongo_url: str, database_name: str) -> AsyncIterator[Database]:
    client = connect(mongo_url, application="tickets-tests")
    yield client[database_name]
    client.close()


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
