"""A server that was killed on purpose finds its port as it left it, though another stack begins meanwhile."""

import socket
from pathlib import Path

import pytest

from ticketing_common.testing.servers import RedisServer, free_port
from ticketing_local.faults import FAULTS
from ticketing_local.stack import PREFERRED_PORTS, Stack, StackOptions


@pytest.fixture
def port() -> int:
    """One that the system does not keep for us already, as the usual ones of a stack."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
    return number


def another_stack_would_take(folder: Path, port: int) -> bool:
    other = Stack(StackOptions(folder, client=False, ports={**PREFERRED_PORTS, "redis-server": port}))
    return other._port("redis-server") == port


def test_a_server_that_is_down_on_purpose_keeps_its_port(tmp_path: Path, port: int) -> None:
    stack = Stack(StackOptions(tmp_path / "one", client=False))
    redis = RedisServer(tmp_path / "redis", port=port)
    stack._running.append(redis)
    fault = FAULTS["redis-down"]
    redis.start()
    try:
        fault.on(stack)
        assert not another_stack_would_take(tmp_path / "two", port)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        assert fault.off is not None
        fault.off(stack)
        redis.wait_until_ready()
    finally:
        redis.stop()


def test_the_port_of_a_server_that_only_died_would_be_taken(tmp_path: Path, port: int) -> None:
    redis = RedisServer(tmp_path / "redis", port=port)
    redis.start()
    redis.kill()
    assert another_stack_would_take(tmp_path / "two", port)


def test_a_stack_that_ends_keeps_no_port(tmp_path: Path) -> None:
    stack = Stack(StackOptions(tmp_path / "one", client=False))
    port = free_port()
    stack.kept_ports.keep(port)
    stack.stop()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
