"""The pytest plugin: fixtures that give a test real servers; what no test asks for is never started."""

import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from secrets import token_hex

import pytest
import structlog
from pymongo import MongoClient

from ticketing_common.telemetry import configure_logging

from .apps import Bus, Identity, service_settings_for
from .servers import Mongod, NatsCluster, NatsServer, RedisServer, StripeDouble

__all__: list[str] = []


def pytest_configure() -> None:
    """Print tracebacks plainly. structlog's default frames them and shows all variables: up to a second for each."""
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plain])


@pytest.fixture(scope="session")
def mongo_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A MongoDB replica set of one, shared by the session; `MONGO_URL` in the environment is used instead."""
    if "MONGO_URL" in os.environ:
        yield os.environ["MONGO_URL"]
        return
    server = Mongod(tmp_path_factory.mktemp("mongod"))
    try:
        server.start()
        yield server.url
    finally:
        server.stop()


@pytest.fixture
def database_name(mongo_url: str) -> Iterator[str]:
    """A database of this test's own, dropped afterwards."""
    name = f"test_{token_hex(6)}"
    yield name
    client: MongoClient[dict[str, object]] = MongoClient(mongo_url)
    client.drop_database(name)
    client.close()


@pytest.fixture(scope="module")
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongod]:
    """A MongoDB of this module's own; it may be paused, and killed and started again."""
    server = Mongod(tmp_path_factory.mktemp("mongod"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A NATS server of this test's own, empty; it may be killed, paused and restarted."""
    server = NatsServer(tmp_path / "nats")
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def nats_url(nats_server: NatsServer) -> str:
    """The address of this test's NATS server."""
    return nats_server.url


@pytest.fixture
def nats_cluster(tmp_path: Path) -> Iterator[NatsCluster]:
    """Three NATS servers of this test's own, empty; each may be killed and started again."""
    cluster = NatsCluster(tmp_path / "nats-cluster")
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of this test's own, empty; it may be killed and restarted."""
    server = RedisServer(tmp_path / "redis")
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The address of this test's Redis."""
    return redis_server.url


@pytest.fixture(scope="session")
def stripe_double(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StripeDouble]:
    """The Stripe double, shared by the session: every payment in it has an id of its own."""
    server = StripeDouble(tmp_path_factory.mktemp("stripe"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def stripe_url(stripe_double: StripeDouble) -> str:
    """The address of the Stripe double."""
    return stripe_double.url


@pytest.fixture(scope="session")
def identity() -> Identity:
    """A signing key of this session's own, and tokens made with it."""
    return Identity()


@pytest.fixture
def service_settings(mongo_url: str, database_name: str, nats_url: str, identity: Identity) -> dict[str, object]:
    """Keyword arguments for any service's Settings, pointing at this test's servers."""
    return service_settings_for(mongo_url=mongo_url, database=database_name, nats_url=nats_url, identity=identity)


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    """The event bus as the other services see it: publish as an owner, expect as a reader."""
    async with Bus.connect(nats_url) as connected:
        yield connected


@pytest.fixture
def printed_logs() -> Iterator[Callable[[], str]]:
    """All that has been logged in this test, as it would be printed."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    printed = StringIO()
    with redirect_stdout(printed):  # a handler keeps the standard output that it was made with
        configure_logging(service="test", level="info")
    yield printed.getvalue
    root.handlers[:] = handlers
    root.setLevel(level)
