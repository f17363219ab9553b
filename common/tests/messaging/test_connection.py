import asyncio
from pathlib import Path

import pytest
from pydantic import SecretStr

from ticketing_common.messaging import NatsConnection
from ticketing_common.settings import NatsSettings
from ticketing_testkit.servers import NatsServer, free_port
from ticketing_testkit.waiting import until


def settings(url: str, lost_after: float = 15.0) -> NatsSettings:
    return NatsSettings(nats_url=SecretStr(url), nats_lost_after_seconds=lost_after)


def is_healthy(connection: NatsConnection) -> bool:
    """Read the state again. mypy takes an attribute that was read for unchanged."""
    return connection.healthy


async def until_connected(connection: NatsConnection, expected: bool) -> None:
    await until(lambda: connection.connected is expected and not (expected and connection.lost_seconds))


async def test_a_connection_can_be_requested_before_the_broker_runs(tmp_path: Path) -> None:
    server = NatsServer(tmp_path, port=free_port())
    connection = NatsConnection(settings(server.url), name="test")
    with pytest.raises(ConnectionError, match="not yet connected"):
        _ = connection.js
    connecting = asyncio.create_task(connection.connect())
    try:
        await asyncio.to_thread(server.start)
        await asyncio.wait_for(connecting, 30)

        assert connection.connected
        assert connection.lost_seconds == 0
        await connection.close()
        assert not connection.connected
    finally:
        connecting.cancel()
        server.stop()


async def test_waiting_for_the_broker_can_be_cancelled(tmp_path: Path) -> None:
    connection = NatsConnection(settings(f"nats://127.0.0.1:{free_port()}"), name="test")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(connection.connect(), 0.2)
    await connection.close()


async def test_a_lost_broker_is_reported_after_a_while_and_reconnected(nats_server: NatsServer) -> None:
    connection = NatsConnection(settings(nats_server.url, lost_after=0.2), name="test")
    await connection.connect()
    nats_server.kill()
    await until_connected(connection, False)

    await until(lambda: not connection.healthy)

    await asyncio.to_thread(nats_server.start)
    await until_connected(connection, True)
    assert is_healthy(connection)
    await connection.close()


async def test_several_addresses_may_be_given(nats_server: NatsServer) -> None:
    unused = f"nats://127.0.0.1:{free_port()}"
    connection = NatsConnection(settings(f"{unused},{nats_server.url}"), name="test")
    await asyncio.wait_for(connection.connect(), 30)
    assert connection.connected
    await connection.close()
