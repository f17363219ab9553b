"""A wrong address is reported at once, without its password."""

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
def test_an_address_where_a_server_answers_is_accepted(address: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        check_address("MONGO_URL", address.format(open=server.getsockname()[1], closed=free_port()))


def test_a_list_of_full_addresses_is_accepted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        check_address("NATS_URL", f"nats://127.0.0.1:{free_port()},nats://127.0.0.1:{server.getsockname()[1]}")


def test_an_address_without_a_server_is_an_error_that_omits_the_password() -> None:
    port = free_port()
    with pytest.raises(
        ServerStartError, match=f"MONGO_URL points to 127.0.0.1:{port}, where no server answers"
    ) as refused:
        check_address("MONGO_URL", f"mongodb://user:hidden@127.0.0.1:{port}/app")
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize(
    ("variable", "address"),
    [("MONGO_URL", "nonsense"), ("NATS_URL", "http://127.0.0.1"), ("REDIS_URL", ""), ("STRIPE_API_BASE", "ftp://x")],
)
def test_an_address_with_a_wrong_scheme_is_refused(variable: str, address: str) -> None:
    with pytest.raises(ServerStartError, match=f"{variable} must begin with"):
        check_address(variable, address)


@pytest.mark.parametrize("address", ["redis://127.0.0.1:99999", "redis://[::1", "redis://\x00:1", "redis://:0"])
def test_a_malformed_address_is_refused_without_a_crash(address: str) -> None:
    with pytest.raises(ServerStartError, match="REDIS_URL points to"):
        check_address("REDIS_URL", address)


def test_a_port_that_is_too_large_is_not_that_of_another_server() -> None:
    """The resolver takes the last 16 bits of a port."""
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(ServerStartError, match="REDIS_URL points to"),
    ):
        check_address("REDIS_URL", f"redis://127.0.0.1:{other.getsockname()[1] + 65_536}")
