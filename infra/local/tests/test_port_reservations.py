"""A server that was killed finds its port as it left it, though another stack begins meanwhile."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ticketing_local.faults import FAULTS
from ticketing_local.port_reservations import PortReservations
from ticketing_local.stack import PREFERRED_PORTS, Stack, StackOptions
from ticketing_testkit.servers import RedisServer


@pytest.fixture
def port() -> int:
    """One that the system does not keep for us already, as the usual ones of a stack."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
    return number


@pytest.fixture
def a_stack(tmp_path: Path, port: int) -> Iterator[Callable[[], Stack]]:
    """Makes one whose Redis would like to have this port."""
    made: list[Stack] = []

    def make() -> Stack:
        ports = {**PREFERRED_PORTS, "valkey-server": port}
        made.append(Stack(StackOptions(tmp_path / str(len(made)), client=False, ports=ports)))
        return made[-1]

    yield make
    for stack in made:
        stack.stop()


def test_a_server_that_is_down_keeps_its_port(tmp_path: Path, port: int, a_stack: Callable[[], Stack]) -> None:
    stack, other = a_stack(), a_stack()
    redis = RedisServer(tmp_path / "redis", port=stack._port("valkey-server"))
    assert redis.port == port
    stack._running.append(redis)
    fault = FAULTS["redis-down"]
    redis.start()
    try:
        fault.on(stack)
        assert other._port("valkey-server") != port
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        assert fault.off is not None
        fault.off(stack)
        redis.wait_until_ready()
    finally:
        stack.stop()


def test_a_port_that_nobody_keeps_would_be_taken(tmp_path: Path, port: int, a_stack: Callable[[], Stack]) -> None:
    redis = RedisServer(tmp_path / "redis", port=port)
    redis.start()
    redis.kill()
    assert a_stack()._port("valkey-server") == port


def test_a_stack_that_ends_keeps_no_port(port: int, a_stack: Callable[[], Stack]) -> None:
    stack = a_stack()
    assert stack._port("valkey-server") == port
    stack.stop()
    assert a_stack()._port("valkey-server") == port


def test_a_port_is_kept_once(port: int) -> None:
    one, other = PortReservations(), PortReservations()
    assert one.keep(port)
    assert not one.keep(port)
    assert not other.keep(port)
    one.release_all()
    assert other.keep(port)
    other.release_all()


def test_a_port_where_somebody_else_listens_is_not_ours(port: int, a_stack: Callable[[], Stack]) -> None:
    with socket.create_server(("127.0.0.1", port)):
        assert a_stack()._port("valkey-server") != port
