"""One NATS connection per process that never gives up, and knows since when it has been lost."""

import asyncio
import time
from typing import Final

import nats
from nats.aio.client import Client
from nats.js import JetStreamContext

from ticketing_common.settings import NatsSettings
from ticketing_common.telemetry import get_logger

__all__ = ["NatsConnection"]

log = get_logger(__name__)

CONNECT_RETRY_SECONDS: Final = 0.5
FLUSH_SECONDS: Final = 1
CLOSE_SECONDS: Final = 0.5


class NatsConnection:
    """Connects in the background and reconnects for ever.

    The client's own defaults give up after 60 attempts and then stay closed (measured); here `max_reconnect_attempts`
    is unlimited, and the first connection is tried just as patiently: a service starts while NATS is away.
    """

    def __init__(self, settings: NatsSettings, *, name: str) -> None:
        self._settings = settings
        self._name = name
        self._client: Client | None = None
        self._js: JetStreamContext | None = None
        self._lost_since: float | None = time.monotonic()
        self._connected_since = time.monotonic()
        self._closing = False

    @property
    def connected(self) -> bool:
        """Whether the broker can be talked to at this moment."""
        return self._client is not None and self._client.is_connected

    @property
    def lost_seconds(self) -> float:
        """For how long the broker has been away; 0 while connected."""
        return 0.0 if self._lost_since is None else time.monotonic() - self._lost_since

    @property
    def connected_seconds(self) -> float:
        """For how long the present connection has lasted; 0 while there is none."""
        return time.monotonic() - self._connected_since if self.connected else 0.0

    @property
    def healthy(self) -> bool:
        """False once the broker has been away for longer than the set time: readiness."""
        return self.lost_seconds <= self._settings.nats_lost_after_seconds

    @property
    def js(self) -> JetStreamContext:
        """The JetStream context; raises ConnectionError before the first connection."""
        if self._js is None:
            raise ConnectionError("not yet connected to NATS")
        return self._js

    @property
    def client(self) -> Client:
        """The core client; raises ConnectionError before the first connection."""
        if self._client is None:
            raise ConnectionError("not yet connected to NATS")
        return self._client

    async def connect(self) -> None:
        """Return once connected, however long it takes."""
        servers = self._settings.nats_url.get_secret_value().split(",")
        announced = False
        while True:
            try:
                client = await nats.connect(
                    servers=servers,
                    name=self._name,
                    # Answers come to a place of its own, so that a broker can keep the other services from listening.
                    inbox_prefix=f"_INBOX_{self._name}",
                    connect_timeout=2,
                    # For the first connection only one round; this loop goes on with it, so that stopping is quick.
                    allow_reconnect=True,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=0.5,
                    ping_interval=10,
                    max_outstanding_pings=2,
                    pending_size=16 * 1024 * 1024,
                    error_cb=self._on_error,
                    disconnected_cb=self._on_disconnected,
                    reconnected_cb=self._on_reconnected,
                    closed_cb=self._on_disconnected,
                )
            except (OSError, TimeoutError, nats.errors.Error) as error:
                if not announced:
                    log.warning("NATS is away, trying again until it is back", error=repr(error))
                    announced = True
                await asyncio.sleep(CONNECT_RETRY_SECONDS)
                continue
            self._client = client
            self._js = client.jetstream(timeout=5)
            self._lost_since = None
            self._connected_since = time.monotonic()
            return

    async def close(self) -> None:
        """Send what is buffered and leave, within 1.5 s; whoever subscribed has unsubscribed before.

        Not by the client's own `drain`: it cannot be interrupted, and waits ten seconds for a broker that hangs (seen).
        """
        self._closing = True
        if self._client is None or self._client.is_closed:
            return
        try:
            if self._client.is_connected:
                await self._client.flush(FLUSH_SECONDS)
        except (TimeoutError, nats.errors.Error) as error:
            log.warning("NATS did not take what was still to be sent", error=repr(error))
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._client.close()
        except (TimeoutError, OSError) as error:  # what was buffered cannot be sent while the broker is away
            log.debug("NATS is away at the end", error=repr(error))

    async def _on_error(self, error: Exception) -> None:
        log.debug("NATS reports", error=repr(error))

    async def _on_disconnected(self) -> None:
        if self._lost_since is None and not self._closing:
            self._lost_since = time.monotonic()
            log.warning("NATS connection lost")

    async def _on_reconnected(self) -> None:
        log.info("NATS connection is back", after_seconds=round(self.lost_seconds, 1))
        self._lost_since = None
        self._connected_since = time.monotonic()
