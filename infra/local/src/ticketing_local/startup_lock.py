"""One stack starts at a time: two at once would choose the same free ports, and build the same client."""

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["exclusive_startup"]


@contextmanager
def exclusive_startup(on_wait: Callable[[], None]) -> Iterator[None]:
    """Wait until no other stack of this user is starting; the kernel lets go of it however that one ends.

    `on_wait` is called when there is something to wait for.
    """
    file = Path(tempfile.gettempdir(), f"ticketing-{os.getuid()}.starting")
    # Not followed if a link: the folder belongs to everybody.
    with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
