"""A small event system: the tickets service publishes, others subscribe, and a ledger records all commits."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Self

import nats.errors
import nats.js.errors
from ledger import Ledger
from parts import PublishingService, SubscribingService
from pydantic import SecretStr

from ticketing_common.delivery import DeadLetter
from ticketing_common.events import parse_event
from ticketing_common.messaging import NatsConnection, ensure_stream, stream_config
from ticketing_common.settings import EventServiceSettings, NatsSettings
from ticketing_common.storage import Database, Outbox, connect
from ticketing_common.topology import DEAD_LETTERS, SAFETY_NETS, STREAM_SUBJECTS, TICKETS
from ticketing_testkit.servers import drop_databases
from ticketing_testkit.waiting import until
from ticketing_tickets.publishers import ticket_changed
from ticketing_tickets.repository import TicketRepository

__all__ = ["EventSystem", "Recorded"]

AGREE_SECONDS: Final = 60.0
"""An upper limit for a busy machine; the wait ends as soon as all services agree."""


@dataclass(frozen=True)
class Recorded:
    """A message as stored in the stream."""

    subject: str
    body: bytes

    @property
    def version(self) -> tuple[str, int]:
        """The ticket's id and its version."""
        event = parse_event(self.subject, self.body)
        return event.data.id, event.data.version


class EventSystem:
    """Services on one broker, each with a database of its own; at the end all are stopped and the databases dropped."""

    def __init__(self, settings: dict[str, Any], *, nats_url: str, replicas: int) -> None:
        self._settings = {**settings, "nats_url": nats_url, "nats_replicas": replicas}
        self._database_prefix = str(settings["mongo_database"])
        self._replicas = replicas
        self._client = connect(str(settings["mongo_url"]), application="system")
        self.observer = NatsConnection(NatsSettings(nats_url=SecretStr(nats_url)), name="observer")
        self.ledger = Ledger()
        self.subscribers: dict[str, list[SubscribingService]] = {}
        self._living: list[PublishingService | SubscribingService] = []

    @classmethod
    @asynccontextmanager
    async def made(cls, settings: dict[str, Any], *, nats_url: str, replicas: int = 1) -> AsyncIterator[Self]:
        """A system without services; all streams are declared."""
        system = cls(settings, nats_url=nats_url, replicas=replicas)
        await system.observer.connect()
        try:
            for name in (*STREAM_SUBJECTS, *SAFETY_NETS):
                await ensure_stream(system.observer.js, stream_config(name, replicas=replicas))
            yield system
        finally:
            await asyncio.gather(*(one.runtime.stop() for one in system._living))
            await system.observer.close()
            system._client.close()
            names = [system.database(service).name for service in ("tickets", *system.subscribers)]
            await asyncio.to_thread(drop_databases, str(settings["mongo_url"]), *names)

    def database(self, service: str) -> Database:
        """The database of a service."""
        return self._client[f"{self._database_prefix}_{service}"]

    def settings(self, service: str) -> EventServiceSettings:
        """The settings of a service of this system."""
        return EventServiceSettings.model_validate(
            {**self._settings, "service_name": service, "mongo_database": self.database(service).name}
        )

    def environment(self, service: str) -> dict[str, str]:
        """The same settings as environment variables of a process."""
        settings = self.settings(service)
        return {
            "SERVICE_NAME": service,
            "MONGO_URL": settings.mongo_url.get_secret_value(),
            "MONGO_DATABASE": settings.mongo_database,
            "NATS_URL": settings.nats_url.get_secret_value(),
            "JWT_PUBLIC_KEYS": "[]",
        }

    async def publisher(self) -> PublishingService:
        """Start the tickets service, and wait until it is ready."""
        publisher = PublishingService(self.settings("tickets"))
        await self.begin(publisher)
        return publisher

    async def subscriber(self, service: str, **options: Any) -> SubscribingService:
        """Start a further replica of a service that subscribes to the tickets, and wait until it is ready."""
        subscriber = self.awaited(service, **options)
        await self.begin(subscriber)
        return subscriber

    def awaited(self, service: str, **options: Any) -> SubscribingService:
        """The same without `begin`; `agree` includes it from now on."""
        subscriber = SubscribingService(self.settings(service), **options)
        self.subscribers.setdefault(service, []).append(subscriber)
        return subscriber

    async def begin(self, one: PublishingService | SubscribingService) -> None:
        """Start it, and wait until it is ready."""
        self._living.append(one)
        one.runtime.start()
        await one.runtime.wait_until_ready()

    async def settle(self, seconds: float = AGREE_SECONDS) -> None:
        """Wait until all commits are published and all consumers have acknowledged them; raises TimeoutError."""

        async def settled() -> bool:
            return not await self._unfinished()

        await until(settled, seconds)

    async def agree(self, seconds: float = AGREE_SECONDS) -> None:
        """Settle, then check that every service has exactly the committed states; fails with the differences."""
        with contextlib.suppress(TimeoutError):  # reported below, together with its effect on the projections
            await self.settle(seconds)
        differences = await self.differences()
        assert not differences, "\n".join(differences)
        assert self.ledger.newest, "there were no commits, so the test proves nothing"

    async def _unfinished(self) -> list[str]:
        waiting = (await self.outbox().stats()).pending
        unfinished = [f"{waiting} events wait in the outbox"] if waiting else []
        for service, replicas in self.subscribers.items():
            try:
                info = await self.observer.js.consumer_info(TICKETS, replicas[0].durable)
            except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
                unfinished.append(f"{service}: no information about its consumer ({error!r})")
                continue
            if info.num_pending or info.num_ack_pending:
                unfinished.append(f"{service}: {info.num_pending} to come, {info.num_ack_pending} unacknowledged")
        return unfinished

    async def differences(self) -> list[str]:
        """Differences between the ledger and the owner, and between the ledger and every projection."""
        tickets = TicketRepository(self.outbox())
        owned = {ticket.id: ticket_changed(ticket).data async for ticket in tickets.walk()}
        found = [*await self._unfinished(), *self.ledger.differences("tickets", owned)]
        for service, replicas in self.subscribers.items():
            found += self.ledger.differences(service, await replicas[0].held())
        return found

    async def recorded(self) -> list[Recorded]:
        """All messages of the stream `TICKETS`, oldest first."""
        state = (await self.observer.js.stream_info(TICKETS)).state
        if not state.messages:
            return []
        subscription = await self.observer.js.subscribe("", stream=TICKETS, ordered_consumer=True)
        messages = [await subscription.next_msg(timeout=10) for _ in range(state.messages)]
        await subscription.unsubscribe()
        return [Recorded(message.subject, message.data) for message in messages]

    async def publish(self, messages: Sequence[Recorded]) -> None:
        """Publish these without a message id, so that the broker does not drop those that it has had."""
        for message in messages:
            await self.observer.js.publish(message.subject, message.body)

    def outbox(self) -> Outbox:
        """The outbox of the tickets service."""
        return Outbox(self.database("tickets")["tickets"])

    async def published_versions(self) -> set[tuple[str, int]]:
        """Every ticket id and version in the stream."""
        return {message.version for message in await self.recorded()}

    async def dead_letters(self) -> list[DeadLetter]:
        """All dead letters."""
        state = (await self.observer.js.stream_info(DEAD_LETTERS)).state
        numbers = range(max(1, state.first_seq), state.last_seq + 1) if state.messages else ()
        letters = [await self.observer.js.get_msg(DEAD_LETTERS, number) for number in numbers]
        return [DeadLetter.model_validate_json(letter.data or b"") for letter in letters]
