"""A stack's ports are its own until it ends, also while a server of it is down: no other stack takes them meanwhile."""

import fcntl
import os
import tempfile
from pathlib import Path
from typing import IO

__all__ = ["PortReservations"]


class PortReservations:
    """A lock per port, in a folder that all stacks of this user look into; it ends with the process that holds it.

    Binding the port as well would keep it from the server that is to listen there, or from nobody.
    """

    def __init__(self) -> None:
        self._kept: dict[int, IO[bytes]] = {}
        self._folder = Path(tempfile.gettempdir(), f"ticketing-ports-{os.getuid()}")

    def keep(self, port: int) -> bool:
        """Whether it is ours now; False when another stack keeps it."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        lock = (self._folder / str(port)).open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            return False
        self._kept[port] = lock
        return True

    def release(self, port: int) -> None:
        """To whoever wants it."""
        if lock := self._kept.pop(port, None):
            lock.close()

    def release_all(self) -> None:
        """At the end of the stack."""
        for port in list(self._kept):
            self.release(port)
