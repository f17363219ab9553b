"""Argon2id in threads of its own: never on the event loop, never more at once than the machine bears."""

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

__all__ = ["PasswordHasher", "Verdict"]

T = TypeVar("T")

MEMORY_KIB: Final = 19 * 1024
ITERATIONS: Final = 2
LANES: Final = 1
"""OWASP Password Storage Cheat Sheet, argon2id: 19 MiB, t=2, p=1; some 25 ms of one core."""


NICENESS: Final = 5
"""Of the hashing threads: a processor that the event loop wants is the event loop's, whoever signs in meanwhile. They
have a third of its share then; with a tenth (10) a test saw nobody signed in while the machine was busy otherwise.
"""


class Verdict(NamedTuple):
    """Whether the password is right; and if so, its hash by today's parameters when the stored one is of others."""

    matches: bool
    new_hash: str | None = None


class PasswordHasher:
    """Hashes and verifies, `threads` at a time; `queue` more may wait, and everybody else gets an error at once.

    Argon2 lets go of the interpreter lock, so threads are true parallelism and the event loop stays free; but each
    takes 19 MiB, and more of them than cores only make all slower.
    """

    def __init__(self, *, threads: int, queue: int) -> None:
        self._context = CryptContext(
            schemes=["argon2"],
            argon2__type="ID",
            argon2__memory_cost=MEMORY_KIB,
            argon2__time_cost=ITERATIONS,
            argon2__parallelism=LANES,
        )
        self._nobodys_hash: str = self._context.hash(token_urlsafe())
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="passwords", initializer=_give_way)
        self._room = threads + queue
        self._inside = 0

    async def hash(self, password: SecretStr) -> str:
        """The hash to store; raises `PasswordQueueFullError`."""
        hashed: str = await self._run(self._context.hash, _prepared(password))
        return hashed

    async def verify(self, password: SecretStr, stored_hash: str | None) -> Verdict:
        """Compare a password with the stored hash; raises `PasswordQueueFullError`.

        None stands for an account that does not exist: the same work is done, so that the time does not tell.
        """
        matches, new_hash = await self._run(
            self._context.verify_and_update, _prepared(password), stored_hash or self._nobodys_hash
        )
        return Verdict(matches, new_hash) if stored_hash else Verdict(False)

    def close(self) -> None:
        """Begin no more work."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[..., T], *arguments: str) -> T:
        if self._inside >= self._room:
            raise PasswordQueueFullError
        self._inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        finally:
            self._inside -= 1


def _give_way() -> None:
    """Linux knows a niceness for each thread (nice(2)); elsewhere it would be the whole process's."""
    if sys.platform == "linux":
        os.nice(NICENESS)


def _prepared(password: SecretStr) -> str:
    """`é` is one character on one keyboard and two on another: both must sign in (RFC 8265 §4.2.2)."""
    return unicodedata.normalize("NFC", password.get_secret_value())
