"""The pytest plugin: fixtures with real servers, each started only when a test uses it."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from secrets import token_hex

import pytest
import structlog

from ticketing_common.delivery import consumer
from ticketing_common.storage import Database, connect
from ticketing_common.telemetry import configure_logging
from ticketing_common.web.connections import BoundedConnection

from .apps import Bus, Identity, service_settings_for
from .servers import Mongod, NatsCluster, NatsServer, RedisServer, StripeDouble, drop_databases, running

__all__: list[str] = []


def pytest_configure() -> None:
    """Print plain tracebacks. structlog's default formats all variables, which takes up to a second each."""
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plain])


@pytest.fixture(scope="session", autouse=True)
def short_fetches() -> Iterator[None]:
    """Let an idle consumer of a service in this process end soon: it stops when its open fetch ends, after 2 s at most.

    Each test that starts a service stops it, too, and would wait for that.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(consumer, "FETCH_SECONDS", 0.2)
        yield


@pytest.fixture(scope="session")
def mongo_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A MongoDB replica set with one member, shared by the session; `MONGO_URL` in the environment replaces it."""
    if "MONGO_URL" in os.environ:
        yield os.environ["MONGO_URL"]
        return
    with running(Mongod(tmp_path_factory.mktemp("mongod"))) as server:
        yield server.url


@pytest.fixture
def database_name(mongo_url: str) -> Iterator[str]:
    """The name of a database for this test, dropped afterwards."""
    name = f"test_{token_hex(6)}"
    yield name
    drop_databases(mongo_url, name)


@pytest.fixture
async def database(mongo_url: str, database_name: str) -> AsyncIterator[Database]:
    """This test's database, connected as in a service."""
    client = connect(mongo_url, application="tests")
    yield client[database_name]
    client.close()


@pytest.fixture(scope="module")
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongod]:
    """A MongoDB for this module, which may be paused, killed and started again."""
    with running(Mongod(tmp_path_factory.mktemp("mongod"))) as server:
        yield server


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """An empty NATS server for this test, which may be killed, paused and restarted."""
    with running(NatsServer(tmp_path / "nats")) as server:
        yield server


@pytest.fixture
def nats_url(nats_server: NatsServer) -> str:
    """The address of this test's NATS server."""
    return nats_server.url


@pytest.fixture
def nats_cluster(tmp_path: Path) -> Iterator[NatsCluster]:
    """Three empty NATS servers for this test; each may be killed and started again."""
    with running(NatsCluster(tmp_path / "nats-cluster")) as cluster:
        yield cluster


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """An empty Redis for this test, which may be killed and restarted."""
    with running(RedisServer(tmp_path / "redis")) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The address of this test's Redis."""
    return redis_server.url


@pytest.fixture(scope="session")
def stripe_double(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StripeDouble]:
    """The Stripe double, shared by the session: every payment has a unique id."""
    with running(StripeDouble(tmp_path_factory.mktemp("stripe"))) as server:
        yield server


@pytest.fixture
def stripe_url(stripe_double: StripeDouble) -> str:
    """The address of the Stripe double."""
    return stripe_double.url


@pytest.fixture(scope="session")
def identity() -> Identity:
    """A signing key of this session, and tokens signed with it."""
    return Identity()


@pytest.fixture
def service_settings(mongo_url: str, database_name: str, nats_url: str, identity: Identity) -> dict[str, object]:
    """Keyword arguments for any service's Settings, with the addresses of this test's servers."""
    return service_settings_for(mongo_url=mongo_url, database=database_name, nats_url=nats_url, identity=identity)


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    """The event bus as used by the other services: publish as an owner, expect as a consumer."""
    async with Bus.connect(nats_url) as connected:
        yield connected


@pytest.fixture
def transports(monkeypatch: pytest.MonkeyPatch) -> list[asyncio.Transport]:
    """The transports of all connections that services in this process accept."""
    made: list[asyncio.Transport] = []
    connection_made = BoundedConnection.connection_made

    def noting(self: BoundedConnection, transport: asyncio.Transport) -> None:
        made.append(transport)
        connection_made(self, transport)

    monkeypatch.setattr(BoundedConnection, "connection_made", noting)
    return made


@pytest.fixture
def printed_logs() -> Iterator[Callable[[], str]]:
    """The log output of this test, as printed."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    printed = StringIO()
    with redirect_stdout(printed):  # a handler keeps the standard output of its creation
        configure_logging(service="test", level="info")
    yield printed.getvalue
    root.handlers[:] = handlers
    root.setLevel(level)
