"""A wrong address is said at once, and without its password."""

import socket

import pytest

from ticketing_local.addresses import check_address
from ticketing_testkit.servers import ServerStartError, free_port

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "address",
    [
        "mongodb://127.0.0.1:{open}",
        "mongodb://someone:s%40cret@127.0.0.1:{closed},127.0.0.1:{open}/app?replicaSet=rs0",
        "mongodb+srv://cluster.example.com/",
    ],
)
def test_an_address_where_somebody_answers_is_taken(address: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        check_address("MONGO_URL", address.format(open=server.getsockname()[1], closed=free_port()))


def test_several_whole_addresses_are_understood() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        check_address("NATS_URL", f"nats://127.0.0.1:{free_port()},nats://127.0.0.1:{server.getsockname()[1]}")


def test_an_address_where_nobody_answers_is_one_clear_sentence_without_the_password() -> None:
    port = free_port()
    with pytest.raises(
        ServerStartError, match=f"MONGO_URL points to 127.0.0.1:{port}, where nobody answers"
    ) as refused:
        check_address("MONGO_URL", f"mongodb://someone:hidden@127.0.0.1:{port}/app")
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize(
    ("variable", "address"),
    [("MONGO_URL", "nonsense"), ("NATS_URL", "http://127.0.0.1"), ("REDIS_URL", ""), ("STRIPE_API_BASE", "ftp://x")],
)
def test_an_address_of_another_kind_is_refused(variable: str, address: str) -> None:
    with pytest.raises(ServerStartError, match=f"{variable} must begin with"):
        check_address(variable, address)


@pytest.mark.parametrize("address", ["redis://127.0.0.1:99999", "redis://[::1", "redis://\x00:1", "redis://:0"])
def test_a_broken_address_is_refused_and_not_a_crash(address: str) -> None:
    with pytest.raises(ServerStartError, match="REDIS_URL points to"):
        check_address("REDIS_URL", address)
