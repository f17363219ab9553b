"""Servers that run inside a `with` block."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from .process import READY_SECONDS, ServerProcess


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


@contextmanager
def running_together(*processes: ServerProcess, seconds: float = READY_SECONDS) -> Iterator[None]:
    """Start them at the same time; they are ready inside this block and stop with it. Raises `ServerStartError`."""
    try:
        for process in processes:
            process.launch()
        for process in processes:
            process.wait_until_ready(seconds)
        yield
    finally:
        for process in processes:  # SIGTERM to all before waiting for one
            process.terminate()
        for process in processes:
            process.stop()
