"""Reserves ports for a stack until it ends, so that no other stack takes the port of a server that is down."""

import fcntl
import os
import tempfile
from pathlib import Path
from typing import IO


class PortReservations:
    """One file lock per port, in a folder that all stacks of this user share; a lock ends with its process.

    The port itself is not bound: a bound socket would keep the stack's own server from it too.
    """

    def __init__(self) -> None:
        self._kept: dict[int, IO[bytes]] = {}
        self._folder = Path(tempfile.gettempdir(), f"ticketing-ports-{os.getuid()}")

    def keep(self, port: int) -> bool:
        """Reserve the port; False if another stack has reserved it."""
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
        """End the reservation of the port."""
        if lock := self._kept.pop(port, None):
            lock.close()

    def release_all(self) -> None:
        """End all reservations, at the end of the stack."""
        for port in list(self._kept):
            self.release(port)
