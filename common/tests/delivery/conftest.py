"""The parts of event delivery: a database, a bus, a consumer, and a way to wait for conditions."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import pytest
from nats.js.errors import NotFoundError
from pydantic import SecretStr

from ticketing_common.delivery import BatchHandler, Consumer, DeadLetters, EventSubscription, Handler
from ticketing_common.delivery import consumer as consumer_module
from ticketing_common.delivery import handling as handling_module
from ticketing_common.entity import Entity, new_id, utc_now
from ticketing_common.events import ExpirationCompleted, ExpirationData
from ticketing_common.messaging import JetStreamPublisher, NatsConnection
from ticketing_common.settings import NatsSettings
from ticketing_common.telemetry import current_trace_id
from ticketing_common.topology import EXPIRATIONS
from ticketing_testkit.apps import Bus


@dataclass(kw_only=True)
class Parcel(Entity):
    """An aggregate of a service that only tests have."""

    label: str = ""


def to_event(parcel: Parcel) -> ExpirationCompleted:
    """The event of a change of a parcel."""
    return ExpirationCompleted.of(
        ExpirationData(id=parcel.id, version=parcel.version, order_id=parcel.label, expires_at=parcel.updated_at)
    )


@pytest.fixture
async def connection(nats_url: str, bus: Bus) -> AsyncIterator[NatsConnection]:
    """A service's connection; all streams exist."""
    made = NatsConnection(NatsSettings(nats_url=SecretStr(nats_url)), name="test")
    await made.connect()
    yield made
    await made.close()


SERVICE = "orders"
DURABLE = "orders-expirations"


def make_event(aggregate_id: str | None = None, version: int = 1) -> ExpirationCompleted:
    aggregate_id = aggregate_id or new_id()
    return ExpirationCompleted.of(
        ExpirationData(id=aggregate_id, version=version, order_id=aggregate_id, expires_at=utc_now())
    )


class Handled:
    """A handler that records events, and raises the given errors."""

    def __init__(self, *failures: Exception) -> None:
        self.versions: list[tuple[str, int]] = []
        self.attempts = 0
        self.traces: list[str | None] = []
        self._failures = list(failures)

    async def __call__(self, one: ExpirationCompleted) -> None:
        self.attempts += 1
        if self._failures:
            raise self._failures.pop(0)
        self.traces.append(current_trace_id())
        self.versions.append((one.data.id, one.data.version))

    def holds(self, count: int) -> Callable[[], Awaitable[bool]]:
        async def reached() -> bool:
            return len(self.versions) >= count

        return reached


@asynccontextmanager
async def consuming(
    connection: NatsConnection,
    handler: Handler,
    *,
    max_attempts: int = 10,
    ack_wait: float = 30.0,
    concurrency: int = 16,
    together: BatchHandler | None = None,
) -> AsyncIterator[Consumer]:
    subscription = EventSubscription(
        EXPIRATIONS,
        {ExpirationCompleted: handler},
        together,
        concurrency=concurrency,
        max_attempts=max_attempts,
        ack_wait_seconds=ack_wait,
    )
    consumer = Consumer(
        connection, subscription, DeadLetters(JetStreamPublisher(connection)), service=SERVICE, replicas=1
    )
    consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


def settled(bus: Bus) -> Callable[[], Awaitable[bool]]:
    """Whether no event is undelivered or unacknowledged."""

    async def reached() -> bool:
        try:
            now = await bus.js.consumer_info(EXPIRATIONS, DURABLE)
        except NotFoundError:  # no replica has made it yet
            return False
        return (now.num_pending, now.num_ack_pending) == (0, 0)

    return reached


@pytest.fixture
def event() -> Callable[..., ExpirationCompleted]:
    """Makes an event of a new aggregate, or of a given one at a given version."""
    return make_event


@pytest.fixture
def handling() -> type[Handled]:
    """Makes a handler that records events after it has raised the given errors."""
    return Handled


@pytest.fixture
def consume(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AbstractAsyncContextManager[Consumer]]:
    """Consumes during its block, with short waits, so that tests of outages are fast."""
    monkeypatch.setattr(consumer_module, "FETCH_SECONDS", 0.5)
    monkeypatch.setattr(consumer_module, "REBIND_SECONDS", 0.1)
    monkeypatch.setattr(handling_module, "FIRST_DELAY_SECONDS", 0.02)
    return consuming


@pytest.fixture
def all_settled(bus: Bus) -> Callable[[], Awaitable[bool]]:
    """Whether no event is undelivered or unacknowledged."""
    return settled(bus)
