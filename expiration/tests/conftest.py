"""Orders as the orders service would tell of them, and a settings object that points at this test's servers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import OrderData, OrderReason, OrderStatus, OrderTicket
from ticketing_common.storage import Database, Outbox, connect
from ticketing_expiration.repository import DeadlineRepository
from ticketing_expiration.settings import Settings

MakeOrder = Callable[..., OrderData]
Until = Callable[..., Awaitable[None]]


@pytest.fixture
def until() -> Until:
    """Wait for what nothing tells of."""

    async def wait(condition: Callable[[], Awaitable[bool]], seconds: float = 5.0) -> None:
        async with asyncio.timeout(seconds):
            while not await condition():  # noqa: ASYNC110 (it happens in other processes)
                await asyncio.sleep(0.02)

    return wait


@pytest.fixture
def make_order() -> MakeOrder:
    """An order whose deadline is `due_in` seconds away."""

    def make(
        order_id: str | None = None,
        *,
        due_in: float = 900.0,
        status: OrderStatus = OrderStatus.CREATED,
        version: int = 1,
        reason: OrderReason | None = None,
    ) -> OrderData:
        now = utc_now()
        return OrderData(
            id=order_id or new_id(),
            version=version,
            status=status,
            reason=reason,
            user_id=new_id(),
            expires_at=now + timedelta(seconds=due_in),
            created_at=now,
            payment_id=None,
            ticket=OrderTicket(id=new_id(), title="A concert", price_cents=2_550, currency="usd"),
        )

    return make


@pytest.fixture
def settings(service_settings: dict[str, object], redis_url: str) -> Settings:
    """Settings of a service on real servers."""
    return Settings.model_validate({"service_name": "expiration", **service_settings, "redis_url": redis_url})


@pytest.fixture
async def database(mongo_url: str, database_name: str) -> AsyncIterator[Database]:
    """The service's database, to look behind its back."""
    client = connect(mongo_url, application="test")
    yield client[database_name]
    client.close()


@pytest.fixture
async def deadlines(database: Database) -> DeadlineRepository:
    """The repository with its indexes; nobody relays."""
    repository = DeadlineRepository(Outbox(database["deadlines"]))
    await repository.ensure_indexes()
    return repository
