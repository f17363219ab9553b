"""Checks of external server addresses, made before a process is started that would wait for them."""

import socket
from collections.abc import Mapping
from typing import Final

from ticketing_testkit.servers import ServerStartError

TIMEOUT_SECONDS: Final = 3.0
MAX_PORT: Final = 65_535
_DEFAULT_PORTS: Final[Mapping[str, Mapping[str, int | None]]] = {
    "MONGO_URL": {"mongodb": 27017, "mongodb+srv": None},
    "NATS_URL": {"nats": 4222, "tls": 4222},
    "REDIS_URL": {"redis": 6379, "rediss": 6379, "unix": None},
    "STRIPE_API_BASE": {"http": 80, "https": 443},
    "SMTP_URL": {"smtp": 587, "smtps": 465},
}
"""Default port by scheme; None where the address contains no host and port to try."""


def check_address(variable: str, address: str) -> None:
    """Return if one of the servers in `address` accepts a connection.

    Raises `ServerStartError`, whose text never contains the user name or password of the address.
    """
    schemes = _DEFAULT_PORTS[variable]
    scheme, separator, rest = address.partition("://")
    if not separator or scheme not in schemes:
        raise ServerStartError(f"{variable} must begin with {' or '.join(f'{name}://' for name in schemes)}.")
    default = schemes[scheme]
    if default is None:
        return
    # MongoDB lists hosts behind one scheme and one user, NATS lists whole addresses.
    servers = [_host_and_port(one.partition("://")[2] or one, default) for one in rest.split(",")]
    for host, port in servers:
        if port > MAX_PORT:  # the resolver would use its last 16 bits
            continue
        try:
            with socket.create_connection((host, port), timeout=TIMEOUT_SECONDS):
                return
        except (OSError, OverflowError, ValueError):
            continue
    named = ", ".join(f"{host}:{port}" for host, port in servers)
    raise ServerStartError(
        f"{variable} points to {named}, where no server answers: start that server, correct the address, or unset "
        f"{variable} to start one here."
    )


def _host_and_port(text: str, default: int) -> tuple[str, int]:
    place = text.rpartition("@")[2].partition("/")[0].partition("?")[0]
    if place.startswith("["):  # IPv6
        host, _, port = place[1:].partition("]")
        port = port.removeprefix(":")
    else:
        host, _, port = place.partition(":")
    return host, int(port) if port.isdecimal() else default
