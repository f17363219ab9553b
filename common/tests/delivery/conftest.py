"""The parts of a service that delivery is about: a database, a bus, and waiting for what happens on them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from pydantic import SecretStr

from ticketing_common.messaging import NatsConnection
from ticketing_common.settings import NatsSettings
from ticketing_common.storage import Database, connect
from ticketing_common.testing.apps import Bus

Until = Callable[..., Awaitable[None]]


@pytest.fixture
def until() -> Until:
    """Wait for what nothing tells of."""

    async def wait(condition: Callable[[], Awaitable[bool]], seconds: float = 5.0) -> None:
        async with asyncio.timeout(seconds):
            while not await condition():  # noqa: ASYNC110 (it happens in other tasks and processes)
                await asyncio.sleep(0.01)

    return wait


@pytest.fixture
async def database(mongo_url: str, database_name: str) -> AsyncIterator[Database]:
    """Connected as a service would be."""
    client = connect(mongo_url, application="test")
    yield client[database_name]
    client.close()


@pytest.fixture
async def connection(nats_url: str, bus: Bus) -> AsyncIterator[NatsConnection]:
    """A service's own connection; all streams are there."""
    made = NatsConnection(NatsSettings(nats_url=SecretStr(nats_url)), name="test")
    await made.connect()
    yield made
    await made.close()
