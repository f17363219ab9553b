"""Argon2id in a separate thread pool: never on the event loop, and with limited concurrency."""

import asyncio
import os
import sys
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from secrets import token_urlsafe
from typing import Final, NamedTuple, TypeVar

from passlib.context import CryptContext
from pydantic import SecretStr

from ticketing_auth.errors import PasswordQueueFullError

T = TypeVar("T")

MEMORY_KIB: Final = 19 * 1024
ITERATIONS: Final = 2
LANES: Final = 1
"""OWASP Password Storage Cheat Sheet, argon2id: 19 MiB, t=2, p=1; about 25 ms of one core."""


NICENESS: Final = 5
"""Niceness of the hashing threads: the event loop has priority for the CPU, and they get a third of its share. With
niceness 10 (a tenth), no sign-in succeeded in a test while the machine was busy.
"""


class Verdict(NamedTuple):
    """Whether the password is right. `new_hash` replaces a right password's hash that has outdated parameters."""

    matches: bool
    new_hash: str | None = None


class PasswordHasher:
    """Hashes and verifies `threads` passwords at a time. `queue` more may wait; a further one is refused at once.

    Argon2 releases the interpreter lock, so threads run in parallel and the event loop stays free. Each thread takes
    19 MiB, and more threads than cores make all of them slower.
    """

    def __init__(self, *, threads: int, queue: int) -> None:
        self._context = CryptContext(
            schemes=["argon2"],
            argon2__type="ID",
            argon2__memory_cost=MEMORY_KIB,
            argon2__time_cost=ITERATIONS,
            argon2__parallelism=LANES,
        )
        self._dummy_hash: str = self._context.hash(token_urlsafe())
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="passwords", initializer=_lower_priority)
        self._capacity = threads + queue
        self._in_flight = 0

    async def hash(self, password: SecretStr) -> str:
        """The hash to store. Raises `PasswordQueueFullError`."""
        hashed: str = await self._run(self._context.hash, _prepared(password))
        return hashed

    async def verify(self, password: SecretStr, stored_hash: str | None) -> Verdict:
        """Compare a password with the stored hash. Raises `PasswordQueueFullError`.

        None stands for an account that does not exist. It takes the same work, so the time does not reveal this.
        """
        matches, new_hash = await self._run(
            self._context.verify_and_update, _prepared(password), stored_hash or self._dummy_hash
        )
        return Verdict(matches, new_hash) if stored_hash else Verdict(False)

    def close(self) -> None:
        """Start no more work, and drop what is queued."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[..., T], *arguments: str) -> T:
        if self._in_flight >= self._capacity:
            raise PasswordQueueFullError
        self._in_flight += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        finally:
            self._in_flight -= 1


def _lower_priority() -> None:
    """Linux has a niceness per thread (nice(2)); elsewhere it would apply to the whole process."""
    if sys.platform == "linux":
        os.nice(NICENESS)


def _prepared(password: SecretStr) -> str:
    """NFC form: keyboards send `é` as one or as two characters, and both must match (RFC 8265 §4.2.2)."""
    return unicodedata.normalize("NFC", password.get_secret_value())
