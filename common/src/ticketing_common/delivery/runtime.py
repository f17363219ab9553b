"""The parts that every service starts and stops in order: database, event bus, relay, consumers, stream readers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol, TypeVar

import nats.errors
import nats.js.errors

from ticketing_common.entity import Entity
from ticketing_common.messaging import (
    ConfigurationDriftError,
    JetStreamPublisher,
    NatsConnection,
    ensure_stream,
    stream_config,
    stream_drift,
)
from ticketing_common.resilience import background, cancel_and_wait
from ticketing_common.security import SessionRevocations
from ticketing_common.settings import EventServiceSettings, ServiceSettings
from ticketing_common.storage import (
    Collection,
    Commit,
    Database,
    DatabaseUnavailableError,
    Lease,
    Outbox,
    Repository,
    connect,
    disconnect,
)
from ticketing_common.storage.repository import Publisher
from ticketing_common.telemetry import get_logger, metrics
from ticketing_common.topology import SAFETY_NETS

from .consumer import Consumer
from .dead_letters import DeadLetters
from .operator_command import OperatorCommand, OperatorRequests
from .progress import ConsumerProgress
from .relay import Relay
from .resync import Resync
from .stream_reader import StreamReader
from .subscription import EventSubscription

log = get_logger(__name__)

E = TypeVar("E", bound=Entity)

SETUP_RETRY_SECONDS: Final = 0.5
RESTORE_SECONDS: Final = 5.0
STREAMS_SECONDS: Final = 10.0
SWEEP_LEASE_SECONDS: Final = 5.0
"""After a replica is killed while it holds the lease, the next sweep is delayed by up to this long."""


class _HasIndexes(Protocol):
    async def ensure_indexes(self) -> None: ...


class ServiceRuntime:
    """Created inside the running event loop, configured by `create_app`, then started.

    `start()` returns at once. A background task creates indexes, streams and consumers, and retries until they exist;
    `missing()` lists what does not exist yet. A service can therefore start before its dependencies.
    `ready_without_bus` is for a service whose database alone decides what it answers.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        *,
        publishes: str | None = None,
        revocations: SessionRevocations | None = None,
        ready_without_bus: bool = False,
    ) -> None:
        self.settings = settings
        self.revocations = SessionRevocations() if revocations is None else revocations
        """Ended sessions, which event streams that are open must end, too."""
        self._ready_without_bus = ready_without_bus
        self._publishes = publishes
        self._client = connect(
            settings.mongo_url.get_secret_value(),
            application=settings.service_name,
            ca_file=settings.internal_ca_file,
        )
        self.database: Database = self._client[settings.database_name]
        self._stores: list[_HasIndexes] = []
        self._bus: NatsConnection | None = None
        self._relay: Relay | None = None
        self._consumers: list[Consumer] = []
        self._readers: list[StreamReader] = []
        self._operator_requests: list[OperatorRequests] = []
        self._setup: asyncio.Task[None] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._missing: set[str] = {"database", "start-up"}
        if isinstance(settings, EventServiceSettings):
            self._bus = NatsConnection(settings, name=settings.service_name)
            self._relay = Relay(
                self._bus,
                service=settings.service_name,
                lease=Lease(self.database, "relay", seconds=SWEEP_LEASE_SECONDS),
            )
            self._missing.add("nats")

    def collection(self, name: str) -> Collection:
        """A collection of the service's own database."""
        return self.database[name]

    def outbox(self, name: str, *listeners: Callable[[Commit], None]) -> Outbox:
        """A collection whose documents contain an outbox. The relay publishes its entries; commits call `listeners`."""
        metrics.init_series(metrics.OUTBOX_FULL, (name,))
        if self._relay is None:
            return Outbox(self.database[name], *listeners)
        outbox = Outbox(self.database[name], self._relay.notify, *listeners)
        self._relay.watch(outbox)
        return outbox

    def add_stores(self, *stores: _HasIndexes) -> None:
        """Repositories and projections whose indexes must exist before the service is ready."""
        self._stores.extend(stores)

    def subscribe(self, subscriptions: Sequence[EventSubscription]) -> None:
        """Consume these subscriptions after `start()`."""
        bus = self.bus
        dead_letters = DeadLetters(JetStreamPublisher(bus))
        service = self.settings.service_name
        metrics.init_series(metrics.DEAD_LETTERS, *((one.durable(service),) for one in subscriptions))
        self._consumers.extend(
            Consumer(
                bus, subscription, dead_letters, service=self.settings.service_name, replicas=self._nats.nats_replicas
            )
            for subscription in subscriptions
        )

    def progress(self, stream: str) -> ConsumerProgress:
        """The progress of this service, all replicas together, on a stream that it subscribes to."""
        return ConsumerProgress(self.bus, stream, EventSubscription(stream, {}).durable(self.settings.service_name))

    def follow(self, reader: StreamReader) -> None:
        """Run this stream reader after `start()`, one in each replica."""
        self._readers.append(reader)

    def enable_resync(self, repository: Repository[E], publish: Publisher[E]) -> None:
        """Republish these aggregates on `ticketing resync`; `publish` makes the event of the current state."""
        self._operator_requests.append(Resync(self.bus, repository, publish, service=self.settings.service_name))

    def enable_command(self, subject: str, run: Callable[[str], Awaitable[str]]) -> None:
        """Let operators send a command to this service: see `OperatorCommand`."""
        self._operator_requests.append(OperatorCommand(self.bus, subject, run, service=self.settings.service_name))

    @property
    def bus(self) -> NatsConnection:
        """The event bus; raises RuntimeError if the settings name none."""
        if self._bus is None:
            raise RuntimeError(f"{self.settings.service_name} has no event bus in its settings")
        return self._bus

    @property
    def _nats(self) -> EventServiceSettings:
        if not isinstance(self.settings, EventServiceSettings):
            raise RuntimeError(f"{self.settings.service_name} has no event bus in its settings")
        return self.settings

    def missing(self) -> list[str]:
        """What the service is still waiting for before it is ready. Reads memory only, no I/O."""
        missing = set(self._missing)
        if self._ready_without_bus:
            return sorted(missing - {"nats"})
        if self._bus is not None and not self._bus.healthy:
            missing.add("nats")
        missing.update(f"consumer {consumer.durable}" for consumer in self._consumers if not consumer.joined)
        missing.update(f"tail {reader.stream}" for reader in self._readers if not reader.caught_up)
        return sorted(missing)

    def start(self) -> None:
        """Prepare everything in a background task, which then starts the relay, consumers and stream readers."""
        with background():
            self._setup = asyncio.create_task(self._make_ready())

    async def wait_until_ready(self, seconds: float = 30.0) -> None:
        """Return when nothing is missing; raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while self.missing():  # noqa: ASYNC110 (many parts change it, and only start-up waits)
                await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """Stop in the order that loses nothing: stop consuming, publish what is committed, disconnect.

        Takes at most 6 s if nothing answers (2.5, 1.5, 1.5 and 0.5 s). With 4 s for open requests, at most 10 s.
        """
        await cancel_and_wait(self._setup)  # first, because it starts the keeper
        await cancel_and_wait(self._keeper)
        for one in self._operator_requests:
            await one.stop()
        await asyncio.gather(
            *(reader.stop() for reader in self._readers), *(consumer.stop() for consumer in self._consumers)
        )
        if self._relay is not None:
            await self._relay.stop()
        if self._bus is not None:
            await self._bus.close()
        await disconnect(self._client, seconds=0.5)

    async def _make_ready(self) -> None:
        joining = asyncio.gather(self._make_indexes(), self._join_bus())
        if self._ready_without_bus:
            self._missing.discard("start-up")
        await joining
        self._missing.discard("start-up")
        log.info("ready")

    async def _make_indexes(self) -> None:
        while True:
            try:
                for store in self._stores:
                    await store.ensure_indexes()
                await self.database.command("ping")
            except DatabaseUnavailableError as error:
                log.warning("database unavailable, retrying", error=repr(error))
                await asyncio.sleep(SETUP_RETRY_SECONDS)
            except Exception:
                log.exception("an index cannot be created; repair it by hand")
                await asyncio.sleep(RESTORE_SECONDS)
            else:
                break
        self._missing.discard("database")

    async def _join_bus(self) -> None:
        if self._bus is None or self._relay is None:
            return
        await self._bus.connect()
        while again_in_seconds := await self._declare_streams():  # noqa: ASYNC110 (waits for the broker)
            await asyncio.sleep(again_in_seconds)
        self._missing.discard("nats")
        self._keeper = asyncio.create_task(self._keep_streams())
        self._relay.start()
        for consumer in self._consumers:
            consumer.start()
        for reader in self._readers:
            reader.start()
        for one in self._operator_requests:
            await one.start()

    async def _declare_streams(self) -> float:
        """Create or update the streams as declared. Returns the seconds until the next attempt, 0 when all are correct.

        Without permission to change streams (`nats_makes_streams`), wait until they exist. Drift is then logged as an
        error for the operator: a service that refused to start on drift could not be rolled back past a change.
        """
        names = [*SAFETY_NETS] if self._publishes is None else [self._publishes, *SAFETY_NETS]
        try:
            for name in names:
                declared = stream_config(name, replicas=self._nats.nats_replicas)
                if self._nats.nats_makes_streams:
                    await ensure_stream(self.bus.js, declared)
                elif drift := await stream_drift(self.bus.js, declared):
                    log.error("a stream differs from its declaration", stream=name, drift=repr(drift))
        except ConfigurationDriftError as error:
            log.error("a stream differs from its declaration; repair it by hand", error=str(error))
            return RESTORE_SECONDS
        except (nats.errors.Error, nats.js.errors.Error, OSError, TimeoutError) as error:
            log.warning("streams not ready, retrying", error=repr(error))
            return SETUP_RETRY_SECONDS
        return 0.0

    async def _keep_streams(self) -> None:
        """Recreate a lost stream while the service runs, or report it. New events wait in the outbox meanwhile.

        The lost stream's content is gone; `ticketing resync` republishes the state.
        """
        while True:
            await asyncio.sleep(STREAMS_SECONDS)
            if self.bus.connected:
                await self._declare_streams()
