"""The whole product as processes: their settings and the order of start and stop."""

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ticketing_common.topology import PROCESSES, SERVICES
from ticketing_ops.data_dir import DataDir, StackState, repository_root
from ticketing_testkit.servers import (
    MailServer,
    Mongod,
    NatsServer,
    RedisServer,
    ServerProcess,
    ServerStartError,
    StripeDouble,
    free_port,
)

from .addresses import check_address
from .client_builds import ClientBuilds
from .environments import common_environment, service_environment, worker_environment
from .keys import Keys
from .port_reservations import PortReservations
from .services import WORKERS, ClientProcess, ServiceProcess, WorkerProcess, find_node
from .startup_lock import exclusive_startup
from .webhooks import register_webhook

DEFAULT_PORT: Final = 3000
PREFERRED_PORTS: Final[Mapping[str, int]] = {
    "auth": 4001,
    "tickets": 4002,
    "orders": 4003,
    "payments": 4004,
    "expiration": 4005,
    "worker": 4006,
    "mail": 4007,
    "mongod": 4017,
    "nats-server": 4022,
    "valkey-server": 4079,
    "stripe-double": 4020,
    "mail-server": 4025,
    "smtp": 4026,
}
Progress = Callable[[str, str], None]
"""A callback for progress: name of the part, and its step."""


@dataclass(frozen=True, slots=True)
class StackOptions:
    """Options of the command; `port` None means 3000, or a free port if that is taken.

    `ports` are the default ports of the processes; `environment` is added to that of the product's own processes.
    """

    data_dir: Path
    port: int | None = None
    client: bool = True
    reservation_window_seconds: int | None = None
    ports: Mapping[str, int] = field(default_factory=lambda: PREFERRED_PORTS)
    environment: Mapping[str, str] = field(default_factory=dict)


class Stack:
    """Starts all processes in order, and stops them in reverse order."""

    def __init__(self, options: StackOptions) -> None:
        self.data = DataDir(options.data_dir)
        self._options = options
        self._running: list[ServerProcess] = []
        self._ports = PortReservations()
        window = options.reservation_window_seconds or _window_from_environment()
        self.state = StackState(os.getpid(), "starting", reservation_window_seconds=window)

    def start(self, progress: Progress) -> None:
        """Start everything; on failure stops what was started and raises `ServerStartError`."""
        try:
            with exclusive_startup(lambda: progress("stack", "waiting for another one that is starting")):
                self._start(progress)
        except BaseException:
            self.stop()
            raise

    def _start(self, progress: Progress) -> None:
        keys = Keys.load_or_make(self.data.path / "keys")
        if self._options.client:
            find_node()  # fails before the other processes are started
        client_port = self._client_port() if self._options.client else None
        servers = self._start_servers(progress)
        ports = {name: self._port(name) for name in PROCESSES}
        public_port, own = client_port or ports["auth"], self._options.environment
        base = {
            **common_environment(keys, servers, public_port, client=client_port is not None, own=own),
            "RESERVATION_WINDOW_SECONDS": str(self.state.reservation_window_seconds),
        }
        services: list[ServerProcess] = [
            ServiceProcess(
                name,
                self.data.path,
                self.data.logs / f"{name}.log",
                port=ports[name],
                environment={**base, **service_environment(name, keys, servers)},
            )
            for name in SERVICES
        ]
        site = f"http://localhost:{public_port}"
        services += [
            WorkerProcess(
                name,
                self.data.path,
                self.data.logs / f"{name}.log",
                port=ports[name],
                environment={**base, **worker_environment(name, ports[name], servers, site)},
            )
            for name in WORKERS
        ]
        for service in services:
            progress(service.name, "starting")
            self._launch(service)
        for service in services:
            service.wait_until_ready()
            progress(service.name, "ready")
        self.state.addresses.update({name: f"http://127.0.0.1:{port}" for name, port in ports.items()})
        if "STRIPE_API_BASE" not in os.environ:
            register_webhook(servers["stripe"], f"{self.state.addresses['payments']}/api/payments/webhook", keys)
        if client_port is not None:
            self._start_client(client_port, keys, servers["stripe"], progress)

    def _start_servers(self, progress: Progress) -> dict[str, str]:
        """The addresses of all servers: from the environment, or of servers started here."""
        own: dict[str, tuple[str, Callable[[], ServerProcess]]] = {
            "mongo": ("MONGO_URL", lambda: Mongod(self.data.server("mongod"), port=self._port("mongod"))),
            "nats": ("NATS_URL", lambda: NatsServer(self.data.server("nats"), port=self._port("nats-server"))),
            "redis": ("REDIS_URL", lambda: RedisServer(self.data.server("redis"), port=self._port("valkey-server"))),
            "stripe": (
                "STRIPE_API_BASE",
                lambda: StripeDouble(self.data.server("stripe"), port=self._port("stripe-double")),
            ),
            "smtp": ("SMTP_URL", self._mail_server),
        }
        addresses: dict[str, str] = {}
        started: list[ServerProcess] = []
        for name, (variable, make) in own.items():
            if os.environ.get(variable):
                check_address(variable, os.environ[variable])
                addresses[name] = os.environ[variable]
                progress(name, f"from {variable}")
                continue
            server: ServerProcess = make()
            server.log = self.data.logs / f"{server.name}.log"
            progress(server.name, "starting")
            self._launch(server)
            started.append(server)
            addresses[name] = server.url
            if isinstance(server, MailServer):
                addresses |= {"inbox": server.url, name: server.smtp_url}
        for server in started:
            server.wait_until_ready()
            progress(server.name, "ready")
        self.state.addresses.update(addresses)
        return addresses

    def _mail_server(self) -> MailServer:
        return MailServer(self.data.server("mail"), port=self._port("mail-server"), smtp_port=self._port("smtp"))

    def _start_client(self, port: int, keys: Keys, stripe_url: str, progress: Progress) -> None:
        addresses = {f"{name.upper()}_URL": self.state.addresses[name] for name in SERVICES}
        stripe = {
            "STRIPE_PUBLISHABLE_KEY": os.environ.get("STRIPE_PUBLISHABLE_KEY", keys.stripe_publishable_key),
            "STRIPE_JS_URL": os.environ.get("STRIPE_JS_URL", f"{stripe_url}/js.stripe.com/v3/"),
        }
        environment = {
            **{name: value for name, value in os.environ.items() if name.startswith("OTEL_")},
            **addresses,
            **(stripe if "STRIPE_API_BASE" not in os.environ or "STRIPE_PUBLISHABLE_KEY" in os.environ else {}),
            "PORT": str(port),
            "HOSTNAME": "127.0.0.1",
            "NODE_ENV": "production",
            "NEXT_TELEMETRY_DISABLED": "1",
        }
        log = self.data.logs / "client.log"
        folder = self.data.server("client")
        ClientBuilds(repository_root() / "client", log).copy_to(
            folder, lambda: progress("client", "building (once, about half a minute)")
        )
        client = ClientProcess(folder, log, port=port, environment=environment)
        progress("client", "starting")
        self._launch(client)
        client.wait_until_ready()
        progress("client", "ready")
        self.state.addresses["client"] = f"http://localhost:{port}"

    def _client_port(self) -> int:
        if self._options.port is None:
            return self._port("client", DEFAULT_PORT)
        if not self._claim(self._options.port):
            raise ServerStartError(
                f"Port {self._options.port} is taken by another program: choose another --port, or omit it to use a "
                f"free one."
            )
        return self._options.port

    def _port(self, name: str, preferred: int | None = None) -> int:
        """The default port, so that addresses stay the same between runs, or a free one if it is taken."""
        port = preferred or self._options.ports[name]
        while not self._claim(port):
            port = free_port()
        return port

    def _claim(self, port: int) -> bool:
        """Reserve the port until the end of the stack; False if another stack or program has it."""
        if not self._ports.keep(port):
            return False
        if _taken(port):
            self._ports.release(port)
            return False
        return True

    def _launch(self, process: ServerProcess) -> None:
        self._running.append(process)
        process.launch()
        self.state.processes[process.name] = process.pid or 0
        self.data.write_state(self.state)

    @property
    def processes(self) -> Mapping[str, ServerProcess]:
        """All started processes by name; `launch` starts one that was killed again."""
        return {process.name: process for process in self._running}

    def dead(self) -> list[ServerProcess]:
        """Processes that ended without a request to stop."""
        return [process for process in self._running if process.exit_code is not None]

    def stop(self, progress: Progress = lambda _name, _what: None) -> None:
        """Stop in reverse order: the client, then all services together, the databases last."""
        self.state.phase = "stopping"
        ours = set(PROCESSES)
        for belongs in (lambda name: name == "client", ours.__contains__, lambda _name: True):
            group = [process for process in self._running if belongs(process.name)]
            for process in group:
                progress(process.name, "stopping")
                process.terminate()
            for process in group:
                process.stop()
                self._running.remove(process)
                self.state.processes.pop(process.name, None)
        self._ports.release_all()


def _window_from_environment() -> int:
    value = os.environ.get("RESERVATION_WINDOW_SECONDS", "900")
    if not value.isdecimal() or int(value) == 0:
        raise ServerStartError(f"RESERVATION_WINDOW_SECONDS must be a whole number of seconds, and is {value!r}.")
    return int(value)


def _taken(port: int) -> bool:
    """Whether the port is in use; only an attempt to bind it gives a reliable answer."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
