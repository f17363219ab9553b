"""Fixtures: orders as the orders service publishes them, and settings for this test's servers."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import ExpirationCompleted, OrderData, OrderReason, OrderStatus, OrderTicket
from ticketing_common.storage import Database, Outbox
from ticketing_common.timers import Timers, connect
from ticketing_expiration.domain import Deadline
from ticketing_expiration.repository import DeadlineRepository
from ticketing_expiration.settings import QUEUE, Settings
from ticketing_testkit.apps import Bus
from ticketing_testkit.cluster_redis import ClusterRedis
from ticketing_testkit.servers import running


def make_order(
    order_id: str | None = None,
    *,
    due_in: float = 900.0,
    status: OrderStatus = OrderStatus.CREATED,
    version: int = 1,
    reason: OrderReason | None = None,
) -> OrderData:
    """An order as the orders service publishes it, whose deadline is `due_in` seconds away."""
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


async def hold(deadlines: DeadlineRepository, due_in: float) -> Deadline:
    deadline = Deadline(expires_at=utc_now() + timedelta(seconds=due_in))
    await deadlines.add(deadline)
    return deadline


async def released(bus: Bus) -> list[str]:
    return sorted(event.data.order_id for event in await bus.events(ExpirationCompleted))


async def arm(redis_url: str, *held: Deadline) -> None:
    """Set a timer for each deadline, with longer timeouts than the service has."""
    redis = connect(redis_url, QUEUE)
    redis.connection_pool.connection_kwargs |= {"socket_connect_timeout": 30, "socket_timeout": 30}
    timers = Timers(redis)
    for deadline in held:
        assert await timers.arm(deadline.id, deadline.expires_at)
    await timers.close()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[ClusterRedis]:
    """Valkey as the cluster runs it, empty; it may be killed and restarted."""
    with running(ClusterRedis(tmp_path / "redis")) as server:
        yield server


@pytest.fixture
def service_redis_url(redis_server: ClusterRedis) -> str:
    """The address that the service has in the cluster, with its user's rights."""
    return redis_server.url_of("expiration")


@pytest.fixture
async def timers(service_redis_url: str) -> AsyncIterator[Timers]:
    made = Timers(connect(service_redis_url, QUEUE))
    yield made
    await made.close()


@pytest.fixture
def settings(service_settings: dict[str, object], service_redis_url: str) -> Settings:
    """Settings of a service on real servers."""
    return Settings.model_validate({"service_name": "expiration", **service_settings, "redis_url": service_redis_url})


@pytest.fixture
async def deadlines(database: Database) -> DeadlineRepository:
    """The repository with its indexes, without a relay."""
    repository = DeadlineRepository(Outbox(database["deadlines"]))
    await repository.ensure_indexes()
    return repository
