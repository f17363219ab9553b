"""Valkey, a server of the Redis protocol, with an append-only file, so that timers survive a restart."""

import socket
from collections.abc import Sequence

from .binaries import find_binary
from .process import ServerProcess


class RedisServer(ServerProcess):
    """A single node on loopback."""

    name = "valkey-server"

    @property
    def url(self) -> str:
        """Its address, database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> Sequence[str]:
        """See the valkey.conf manual; `everysec` kept every timer through kill -9 (measured)."""
        return [
            str(find_binary("valkey-server")),
            *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.directory), "--save", ""),
            *("--appendonly", "yes", "--appendfsync", "everysec"),
        ]

    def is_ready(self) -> bool:
        """PING, PONG."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(5) == b"+PONG"
