"""uvicorn's HTTP protocol with limits for writing: a response that the peer does not read is dropped."""

import asyncio
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, cast

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

WRITE_SECONDS: Final = 30.0
"""A peer that takes nothing from the write buffer for this long is gone or never reads."""
KEEPALIVE_IDLE_SECONDS: Final = 30
KEEPALIVE_INTERVAL_SECONDS: Final = 10
KEEPALIVE_PROBES: Final = 3
BUFFER_BYTES: Final = 8 * 1024
"""Bytes of one stream that may wait in this process, and unsent in the kernel, before `send` waits for the peer."""
EXTENSION: Final = "ticketing.transport"

_SOCKET_OPTIONS: Final[Mapping[str, tuple[int, int]]] = {
    "SO_KEEPALIVE": (socket.SOL_SOCKET, 1),
    "TCP_KEEPIDLE": (socket.IPPROTO_TCP, KEEPALIVE_IDLE_SECONDS),
    "TCP_KEEPINTVL": (socket.IPPROTO_TCP, KEEPALIVE_INTERVAL_SECONDS),
    "TCP_KEEPCNT": (socket.IPPROTO_TCP, KEEPALIVE_PROBES),
    # RFC 5482: unacknowledged or unsendable data closes the connection after this many milliseconds, also when the
    # process has closed it already and the kernel still holds its last bytes.
    "TCP_USER_TIMEOUT": (socket.IPPROTO_TCP, int(WRITE_SECONDS * 1000)),
}


class BoundedConnection(HttpToolsProtocol):
    """The writing half of `HttpProtocol`.

    uvicorn has no time limit for writing, and `transport.close()` waits until the peer has read everything, so a peer
    that does not read would keep its response in memory without limit. Such a connection is reset after
    `WRITE_SECONDS`, and a connection whose peer vanished silently after about a minute.
    """

    _writing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn narrows it
        """Set the kernel's time limits."""
        super().connection_made(transport)
        for name, (level, value) in _SOCKET_OPTIONS.items():
            _set_option(transport, level, name, value)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_write_timer()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The write buffer is full: the peer now has `WRITE_SECONDS`."""
        super().pause_writing()
        self._stop_write_timer()
        self._writing = self.loop.call_later(WRITE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """The peer has read most of the buffer."""
        super().resume_writing()
        self._stop_write_timer()

    def on_message_begin(self) -> None:
        """Let the application limit and reset this connection (an ASGI extension of our own)."""
        super().on_message_begin()
        self.scope["extensions"] = {EXTENSION: cast(dict[object, object], {"transport": self.transport})}

    def on_headers_complete(self) -> None:
        """Let the application see whether the body has arrived (`arrived_body`)."""
        super().on_headers_complete()
        cast(Any, self.scope)["extensions"][EXTENSION]["cycle"] = self.cycle

    def _stop_write_timer(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None


def bound_buffers(scope: Scope) -> None:
    """Make `send` wait for the peer when `BUFFER_BYTES` are unsent; for endless responses.

    Without it the kernel takes up to 4 MiB for a peer that does not read (`net.ipv4.tcp_wmem`), and the transport
    64 KiB. Does nothing under a server without this protocol.
    """
    transport = _transport(scope)
    if transport is not None:
        transport.set_write_buffer_limits(high=BUFFER_BYTES)
        _set_option(transport, socket.IPPROTO_TCP, "TCP_NOTSENT_LOWAT", BUFFER_BYTES)


def arrived_body(scope: Scope) -> bytes | None:
    """The whole body if it has arrived, without taking it; None if not, and under a server without this protocol."""
    cycle: RequestResponseCycle | None = scope.get("extensions", {}).get(EXTENSION, {}).get("cycle")
    return None if cycle is None or cycle.more_body else bytes(cycle.body)


def abort(scope: Scope) -> bool:
    """Reset the connection and drop its buffer; False under a server without this protocol."""
    transport = _transport(scope)
    if transport is None:
        return False
    transport.abort()
    return True


def _transport(scope: Scope) -> asyncio.WriteTransport | None:
    extension: dict[str, Any] = scope.get("extensions", {}).get(EXTENSION, {})
    transport: asyncio.WriteTransport | None = extension.get("transport")
    return transport


def _set_option(transport: asyncio.BaseTransport, level: int, name: str, value: int) -> None:
    """Set an option if the platform has it; not for Unix sockets and closed connections."""
    connection = transport.get_extra_info("socket")
    if connection is not None and hasattr(socket, name):
        with suppress(OSError):
            connection.setsockopt(level, getattr(socket, name), value)
