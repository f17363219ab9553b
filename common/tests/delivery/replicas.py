"""Processes of one service with their relays, and what they have published."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from ticketing_common.delivery import Relay
from ticketing_common.entity import new_id
from ticketing_common.events import ExpirationCompleted
from ticketing_common.messaging import NatsConnection
from ticketing_common.storage import Database, Lease, Outbox, Repository
from ticketing_common.telemetry.metrics import RELAY_PUBLISHED
from ticketing_testkit.apps import Bus

from .conftest import Parcel, to_event


def change(_parcel: Parcel) -> Callable[[Parcel], ExpirationCompleted]:
    return to_event


class Replica:
    """One process of a service: its relay, and the repository that notifies it."""

    def __init__(self, connection: NatsConnection, database: Database, *, lease_seconds: float = 10.0) -> None:
        self.service = f"test-{new_id()}"
        self.relay = Relay(connection, service=self.service, lease=Lease(database, "relay", seconds=lease_seconds))
        self.outbox = Outbox(database["parcels"], self.relay.notify)
        self.relay.watch(self.outbox)
        self.parcels = Repository(self.outbox, Parcel)

    def published(self, path: str) -> int:
        return int(RELAY_PUBLISHED.labels(self.service, path)._value.get())

    def has_published(self, count: int) -> Callable[[], Awaitable[bool]]:
        """The metric counts after the entry is removed, which is after the event is visible."""

        async def reached() -> bool:
            return self.published("notify") + self.published("sweep") >= count

        return reached

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Replica"]:
        await self.parcels.ensure_indexes()
        self.relay.start()
        try:
            yield self
        finally:
            await self.relay.stop()


def silent(database: Database) -> Repository[Parcel]:
    """A process that dies right after each commit: it notifies no relay."""
    return Repository(Outbox(database["parcels"]), Parcel)


async def versions(bus: Bus) -> list[tuple[str, int]]:
    return [(event.data.order_id, event.data.version) for event in await bus.events(ExpirationCompleted)]


async def waiting(database: Database) -> int:
    return (await Outbox(database["parcels"]).stats()).pending
