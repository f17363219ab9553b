"""A cluster of three NATS servers on loopback, as in production."""

import http.client
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from .nats_server import NatsServer
from .process import free_port

NODES: Final = 3
HEALTH_SECONDS: Final = 1.0


class NatsNode(NatsServer):
    """One member with its own store, which may be killed and started again like any other server."""

    def __init__(self, directory: Path, *, node: str, route_port: int) -> None:
        super().__init__(directory)
        self.node = node
        self.route_port = route_port
        self.monitor_port = free_port()
        self.routes: Sequence[str] = ()
        """The addresses of the other members; set before the start."""

    def command(self) -> Sequence[str]:
        """The command of a single server, with the cluster configuration added."""
        command = super().command()
        routes = ", ".join(f'"{route}"' for route in self.routes)
        with (self.directory / "nats.conf").open("a") as config:
            config.write(
                f'server_name: "{self.node}"\n'
                f'http: "127.0.0.1:{self.monitor_port}"\n'
                f'cluster {{ name: "loopback", listen: "127.0.0.1:{self.route_port}", routes: [{routes}] }}\n'
            )
        return command

    def is_ready(self) -> bool:
        """Whether it has a leader and has replicated its log, by the server's health endpoint."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.monitor_port, timeout=HEALTH_SECONDS)) as monitor:
            try:
                monitor.request("GET", "/healthz")
                return monitor.getresponse().status == http.client.OK
            except http.client.HTTPException:
                return False


class NatsCluster:
    """All members; streams with three replicas are stored on each."""

    def __init__(self, directory: Path) -> None:
        self.nodes = [
            NatsNode(directory / f"n{number}", node=f"n{number}", route_port=free_port()) for number in range(NODES)
        ]
        for node in self.nodes:
            node.routes = [f"nats://127.0.0.1:{other.route_port}" for other in self.nodes if other is not node]

    @property
    def url(self) -> str:
        """All addresses, separated by commas: a client reconnects to another member when one ends."""
        return ",".join(node.url for node in self.nodes)

    def node(self, name: str) -> NatsNode:
        """The member with this server name, as in the information of a stream's leader."""
        return next(node for node in self.nodes if node.node == name)

    def start(self) -> None:
        """Start all, and wait until they have a leader; raises `ServerStartError`."""
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            node.wait_until_ready()

    def stop(self) -> None:
        """Stop all at once: stopped in sequence, they would elect new leaders first."""
        for node in self.nodes:
            node.terminate()
        for node in self.nodes:
            node.stop()
