"""Lets one stack start at a time: two would choose the same free ports and build the same client."""

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def exclusive_startup(on_wait: Callable[[], None]) -> Iterator[None]:
    """Wait until no other stack of this user is starting; the kernel releases the lock when its holder ends.

    `on_wait` is called before a wait.
    """
    file = Path(tempfile.gettempdir(), f"ticketing-{os.getuid()}.starting")
    # O_NOFOLLOW: every user can write to this folder, so the file can be a malicious link.
    with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
