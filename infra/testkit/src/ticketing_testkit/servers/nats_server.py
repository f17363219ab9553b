"""NATS with JetStream on disk."""

import socket
from collections.abc import Sequence

from .binaries import find_binary
from .process import ServerProcess


class NatsServer(ServerProcess):
    """A single node on loopback."""

    name = "nats-server"

    @property
    def url(self) -> str:
        """Its address."""
        return f"nats://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str]:
        """Uses a configuration file, because the interval between fsyncs has no command-line flag."""
        config = self.directory / "nats.conf"
        config.write_text(
            f'listen: "127.0.0.1:{self.port}"\n'
            f'jetstream {{ store_dir: "{self.directory / "jetstream"}", sync_interval: "10s" }}\n'
        )
        return [str(find_binary("nats-server")), "-c", str(config)]

    def is_ready(self) -> bool:
        """Whether it sends INFO on a connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
            return connection.recv(4).startswith(b"INFO")
