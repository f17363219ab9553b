"""The servers with the TLS options of the prod overlay, and our own connections to them."""

import asyncio
import gc
import os
import re
import signal
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import nats.errors
import pytest
import redis.exceptions
from pydantic import SecretStr
from pymongo import MongoClient
from pymongo.errors import ConnectionFailure, OperationFailure

from ticketing_common.messaging import NatsConnection
from ticketing_common.settings import NatsSettings
from ticketing_common.storage import connect as connect_database
from ticketing_common.storage import disconnect
from ticketing_common.timers import connect as connect_redis
from ticketing_ops.bus import connect as connect_tool
from ticketing_testkit.servers import Mongod, NatsServer, RedisServer, running
from ticketing_testkit.waiting import until

from .certificates import Certificates

Manifests = list[dict[str, Any]]
PATIENCE_SECONDS = 60.0
REFUSED = "(?i)certificate.verify.failed"
OTHER_NAME = "not valid for|doesn't match"


def _pod(production: Manifests, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(m for m in production if m["kind"] == "StatefulSet" and m["metadata"]["name"] == name)[
        "spec"
    ]["template"]["spec"]
    return found


def _command(production: Manifests, name: str, container: str) -> list[str]:
    return next(c["command"] for c in _pod(production, name)["containers"] if c["name"] == container)


class _TlsMongod(Mongod):
    options: Sequence[str] = ()
    ca_file = ""

    @property
    def url(self) -> str:
        return f"mongodb://localhost:{self.port}/?directConnection=true"

    def command(self) -> Sequence[str]:
        return [*super().command(), *self.options]

    def is_ready(self) -> bool:
        client: MongoClient[dict[str, Any]] = MongoClient(
            self.url, tls=True, tlsCAFile=self.ca_file, serverSelectionTimeoutMS=1_000
        )
        with closing(client):
            try:
                if client.admin.command("hello").get("isWritablePrimary"):
                    return True
                member = {"_id": 0, "host": f"localhost:{self.port}"}
                client.admin.command("replSetInitiate", {"_id": "rs0", "members": [member]})
            except (ConnectionFailure, OperationFailure):
                return False
        return False


@pytest.fixture
def database(production: Manifests, tmp_path: Path) -> Iterator[tuple[_TlsMongod, Certificates]]:
    """The database of orders with the options of its container, and its certificates."""
    certificates = Certificates(production, tmp_path, "orders-mongodb-tls")
    server = _TlsMongod(tmp_path / "mongod")
    command = _command(production, "orders-mongodb", "mongodb")
    tls = command[command.index("--tlsMode") :]
    server.options = [option.replace("/etc/mongodb-tls", str(certificates.folder)) for option in tls]
    server.ca_file = certificates.trusted
    with running(server):
        yield server, certificates


async def test_a_service_reaches_its_database_over_tls_and_verifies_it(
    database: tuple[_TlsMongod, Certificates],
) -> None:
    server, certificates = database

    async def write(ca_file: str, host: str = "localhost") -> None:
        client = connect_database(server.url.replace("localhost", host), application="test", ca_file=ca_file)
        try:
            await client["orders"]["things"].insert_one({"found": True})
        finally:
            await disconnect(client, seconds=5)

    assert await _succeeds(lambda: write(certificates.trusted), unless=REFUSED)
    assert not await _succeeds(lambda: write(certificates.wrong), unless=REFUSED)
    assert not await _succeeds(lambda: write(certificates.trusted, host="127.0.0.1"), unless=OTHER_NAME)
    assert not await _succeeds(lambda: write(""), unless="closed|reset")  # in the clear

    certificates.renew()
    admin: MongoClient[dict[str, Any]] = MongoClient(server.url, tls=True, tlsCAFile=certificates.trusted)
    with closing(admin):
        admin.admin.command("rotateCertificates", 1)  # what replica-set.js does
    assert await _succeeds(lambda: write(certificates.wrong), unless=REFUSED)


class _TlsNats(NatsServer):
    tls = ""

    @property
    def url(self) -> str:
        return f"nats://localhost:{self.port}"

    def command(self) -> Sequence[str]:
        command = super().command()
        with Path(command[-1]).open("a") as config:
            config.write(self.tls)
        return [*command, "--pid", str(self.directory / "nats.pid")]

    def is_ready(self) -> bool:
        return "Server is ready" in self.log.read_text()


@pytest.fixture
def bus_server(production: Manifests, tmp_path: Path) -> Iterator[tuple[_TlsNats, Certificates]]:
    """NATS with the file `tls.conf` of the overlay, and its certificates."""
    certificates = Certificates(production, tmp_path, "nats-tls")
    (tmp_path / "nats").mkdir()
    server = _TlsNats(tmp_path / "nats")
    config = next(m["data"] for m in production if m["kind"] == "ConfigMap" and "nats.conf" in m["data"])
    assert "include tls.conf" in config["nats.conf"]
    server.tls = config["tls.conf"].replace("/etc/nats-tls", str(certificates.folder))
    with running(server):
        yield server, certificates


async def _succeeds(attempt: Callable[[], Awaitable[object]], *, unless: str) -> bool:
    """Whether it succeeds, or fails with this text. Other errors, as those of a slow machine, are no answer: again."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                await attempt()
            except (ConnectionFailure, redis.exceptions.RedisError, nats.errors.Error, OSError, TimeoutError) as error:
                if re.search(unless, str(error)):
                    return False
            else:
                return True


@asynccontextmanager
async def _service_on(url: str, ca_file: str) -> AsyncIterator[NatsConnection]:
    connection = NatsConnection(NatsSettings(nats_url=SecretStr(url), internal_ca_file=ca_file), name="orders")
    connecting = asyncio.create_task(connection.connect())
    try:
        await asyncio.wait([connecting], timeout=PATIENCE_SECONDS)
        yield connection
    finally:
        connecting.cancel()
        await connection.close()


async def _reached(url: str, ca_file: str) -> bool:
    """Whether a tool connects; the error must be one of TLS."""
    try:
        client = await connect_tool(url, name="test", ca_file=ca_file)
    except (ssl.SSLError, nats.errors.Error, OSError, TimeoutError):
        return False
    await client.close()
    return True


@pytest.fixture
def collected() -> Iterator[None]:
    """Collect what a test leaves to the garbage collector before the next test, which would report it."""
    yield
    gc.collect()


# The client leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.usefixtures("collected")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_service_reaches_the_bus_over_tls_and_verifies_it(
    bus_server: tuple[_TlsNats, Certificates], production: Manifests
) -> None:
    server, certificates = bus_server

    async def reach(ca_file: str, host: str = "localhost") -> None:
        client = await connect_tool(server.url.replace("localhost", host), name="test", ca_file=ca_file)
        await client.close()

    async with _service_on(server.url, certificates.trusted) as connection:
        await connection.client.flush()
        assert await _succeeds(lambda: reach(certificates.trusted), unless=REFUSED)
        assert not await _succeeds(lambda: reach(certificates.wrong), unless=REFUSED)
        assert not await _succeeds(lambda: reach(certificates.trusted, "127.0.0.1"), unless=OTHER_NAME)
        assert not await _reached(server.url, "")  # in the clear

        with _reloading(production, server, certificates):
            certificates.renew()
            await until(lambda: _reached(server.url, certificates.wrong))
        await connection.client.flush()  # a renewed certificate ends no connection


def _reloading(production: Manifests, server: _TlsNats, certificates: Certificates) -> "_Sidecar":
    container = next(c for c in _pod(production, "nats")["initContainers"] if c["name"] == "certificates")
    *shell, script = container["command"]
    script = script.replace("/etc/nats-tls", str(certificates.folder))
    script = script.replace("/tmp/nats.pid", str(server.directory / "nats.pid"))
    return _Sidecar([*shell, script], {"INTERVAL_SECONDS": "0.1", "PATH": _path_of(server)})


def _path_of(server: _TlsNats) -> str:
    return f"{Path(server.command()[0]).parent}{os.pathsep}{os.environ['PATH']}"


class _Sidecar:
    """Runs the container's script during a block, from the moment when it has read the certificate."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command, self._environment = command, environment

    def __enter__(self) -> None:
        *shell, script = self._command
        announced = script.replace("while sleep", "echo ready\nwhile sleep", 1)
        self._process = subprocess.Popen(
            [*shell, announced],
            env={**os.environ, **self._environment},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


@pytest.mark.usefixtures("collected")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_service_does_not_speak_to_a_bus_without_tls(tmp_path: Path, production: Manifests) -> None:
    """A server in between that answers in the clear must not get the password."""
    certificates = Certificates(production, tmp_path, "nats-tls")

    async def connected(ca_file: str) -> None:
        await (await connect_tool(server.url, name="test", ca_file=ca_file)).close()

    with running(NatsServer(tmp_path)) as server:
        assert await _succeeds(lambda: connected(""), unless="never")
        assert not await _reached(server.url, certificates.trusted)


@asynccontextmanager
async def _tls_in_front(port: int, certificates: Certificates) -> AsyncIterator[int]:
    """Ends TLS with the certificate, and passes everything on. The wheel of Valkey is built without TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.folder / "tls.crt", certificates.folder / "tls.key")

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65_536):
                target.write(data)
                await target.drain()
        target.close()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))

    server = await asyncio.start_server(forward, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_service_reaches_valkey_over_tls_and_verifies_it(
    redis_server: RedisServer, production: Manifests, tmp_path: Path
) -> None:
    certificates = Certificates(production, tmp_path, "redis-tls")
    async with _tls_in_front(redis_server.port, certificates) as port:

        async def ping(ca_file: str, host: str = "localhost", *, port: int = port) -> None:
            client = connect_redis(f"redis://{host}:{port}/0", "queue", ca_file=ca_file)
            try:
                assert await client.ping()
            finally:
                await client.aclose()

        assert await _succeeds(lambda: ping(certificates.trusted), unless=REFUSED)
        assert not await _succeeds(lambda: ping(certificates.wrong), unless=REFUSED)
        assert not await _succeeds(lambda: ping(certificates.trusted, host="127.0.0.1"), unless=OTHER_NAME)
        with pytest.raises((redis.exceptions.ConnectionError, redis.exceptions.TimeoutError)):
            await ping(certificates.trusted, port=redis_server.port)  # the server is in the clear
