"""A server that runs inside a `with` block, for fixtures."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar


class _Startable(Protocol):
    def start(self) -> None: ...
    def stop(self) -> None: ...


S = TypeVar("S", bound=_Startable)


@contextmanager
def running(server: S) -> Iterator[S]:
    """Start it, and stop it at the end, also when the start or the block fails. Raises `ServerStartError`."""
    try:
        server.start()
        yield server
    finally:
        server.stop()
