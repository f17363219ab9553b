"""The process's one NATS connection. It reconnects without limit and records how long it has been lost."""

import asyncio
import ssl
import time
from typing import Final, TypedDict

import nats
from nats.aio.client import Client
from nats.js import JetStreamContext

from ticketing_common.settings import NatsSettings
from ticketing_common.telemetry import get_logger

log = get_logger(__name__)

CONNECT_RETRY_SECONDS: Final = 0.5
FLUSH_SECONDS: Final = 1
CLOSE_SECONDS: Final = 0.5


class _TlsOptions(TypedDict, total=False):
    tls: ssl.SSLContext
    tls_handshake_first: bool


def tls_options(ca_file: str) -> _TlsOptions:
    """Options of `nats.connect` to reach only servers with a certificate of this CA; none without a file.

    The handshake comes before the server's first message. By default NATS begins in the clear, and a client that was
    given a TLS context continues in the clear if the server does not ask for TLS. Raises OSError for an unusable file.
    """
    if not ca_file:
        return {}
    return {"tls": ssl.create_default_context(cafile=ca_file), "tls_handshake_first": True}


class NatsConnection:
    """Connects in the background and reconnects without limit.

    The client's defaults stop after 60 attempts and stay closed (measured). Here `max_reconnect_attempts` is unlimited,
    and the first connection is retried as well, so a service starts during an outage of NATS.
    """

    def __init__(self, settings: NatsSettings, *, name: str) -> None:
        self._settings = settings
        self._name = name
        self._tls = tls_options(settings.internal_ca_file)
        self._client: Client | None = None
        self._js: JetStreamContext | None = None
        self._lost_since: float | None = time.monotonic()
        self._connected_since = time.monotonic()
        self._closing = False

    @property
    def connected(self) -> bool:
        """Whether the connection is open at this moment."""
        return self._client is not None and self._client.is_connected

    @property
    def lost_seconds(self) -> float:
        """Seconds since the connection was lost; 0 while connected."""
        return 0.0 if self._lost_since is None else time.monotonic() - self._lost_since

    @property
    def connected_seconds(self) -> float:
        """Seconds since the current connection was made; 0 without one."""
        return time.monotonic() - self._connected_since if self.connected else 0.0

    @property
    def healthy(self) -> bool:
        """For readiness: False after an outage longer than `nats_lost_after_seconds`."""
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
        """Connect; retries without limit and returns once connected."""
        servers = self._settings.nats_url.get_secret_value().split(",")
        announced = False
        while True:
            try:
                client = await nats.connect(
                    servers=servers,
                    name=self._name,
                    # A reply inbox of its own, so that the broker can deny other services access to it.
                    inbox_prefix=f"_INBOX_{self._name}",
                    connect_timeout=2,
                    # The client tries once for the first connection; this loop retries, so that it can be cancelled
                    # quickly.
                    allow_reconnect=True,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=0.5,
                    ping_interval=10,
                    max_outstanding_pings=2,
                    pending_size=16 * 1024 * 1024,
                    **self._tls,
                    error_cb=self._on_error,
                    disconnected_cb=self._on_disconnected,
                    reconnected_cb=self._on_reconnected,
                    closed_cb=self._on_disconnected,
                )
            except (OSError, TimeoutError, nats.errors.Error) as error:
                if not announced:
                    log.warning("NATS unavailable, retrying", error=repr(error))
                    announced = True
                await asyncio.sleep(CONNECT_RETRY_SECONDS)
                continue
            self._client = client
            self._js = client.jetstream(timeout=5)
            self._lost_since = None
            self._connected_since = time.monotonic()
            return

    async def close(self) -> None:
        """Send buffered messages and disconnect, within 1.5 s. All subscribers must have unsubscribed.

        Does not use the client's `drain`: it cannot be interrupted, and waits 10 s for a hanging broker (seen).
        """
        self._closing = True
        if self._client is None or self._client.is_closed:
            return
        try:
            if self._client.is_connected:
                await self._client.flush(FLUSH_SECONDS)
        except (TimeoutError, nats.errors.Error) as error:
            log.warning("NATS did not accept the buffered messages", error=repr(error))
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._client.close()
        except (TimeoutError, OSError) as error:  # buffered messages cannot be sent during an outage
            log.debug("NATS unavailable while closing", error=repr(error))

    async def _on_error(self, error: Exception) -> None:
        log.debug("NATS reports", error=repr(error))

    async def _on_disconnected(self) -> None:
        if self._lost_since is None and not self._closing:
            self._lost_since = time.monotonic()
            log.warning("NATS connection lost")

    async def _on_reconnected(self) -> None:
        log.info("NATS connection restored", after_seconds=round(self.lost_seconds, 1))
        self._lost_since = None
        self._connected_since = time.monotonic()
