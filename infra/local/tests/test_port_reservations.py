"""The port of a killed server stays reserved while another stack starts."""

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
    """A free port that is not reserved, unlike those of `free_port`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
    return number


@pytest.fixture
def a_stack(tmp_path: Path, port: int) -> Iterator[Callable[[], Stack]]:
    """Creates stacks whose Redis prefers this port."""
    made: list[Stack] = []

    def make() -> Stack:
        ports = {**PREFERRED_PORTS, "valkey-server": port}
        made.append(Stack(StackOptions(tmp_path / str(len(made)), client=False, ports=ports)))
        return made[-1]

    yield make
    for stack in made:
        stack.stop()


def test_the_port_of_a_stopped_server_stays_reserved(tmp_path: Path, port: int, a_stack: Callable[[], Stack]) -> None:
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


def test_a_port_without_reservation_is_taken_by_another_stack(
    tmp_path: Path, port: int, a_stack: Callable[[], Stack]
) -> None:
    redis = RedisServer(tmp_path / "redis", port=port)
    redis.start()
    redis.kill()
    assert a_stack()._port("valkey-server") == port


def test_a_stopped_stack_releases_its_ports(port: int, a_stack: Callable[[], Stack]) -> None:
    stack = a_stack()
    assert stack._port("valkey-server") == port
    stack.stop()
    assert a_stack()._port("valkey-server") == port


def test_a_port_is_reserved_once(port: int) -> None:
    one, other = PortReservations(), PortReservations()
    assert one.keep(port)
    assert not one.keep(port)
    assert not other.keep(port)
    one.release_all()
    assert other.keep(port)
    other.release_all()


def test_a_port_where_another_program_listens_is_not_claimed(port: int, a_stack: Callable[[], Stack]) -> None:
    with socket.create_server(("127.0.0.1", port)):
        assert a_stack()._port("valkey-server") != port
