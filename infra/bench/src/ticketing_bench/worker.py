"""A separate process for each side, so that generator, subject and baseline never share an event loop.

The run starts one per role and keeps it for all rounds.
"""

import asyncio
import multiprocessing
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, ClassVar, Final, Self

import uvloop

from ticketing_common.telemetry import configure_logging

STOP_SECONDS: Final = 10
_SPAWN: Final = multiprocessing.get_context("spawn")  # a forked child would inherit the threads' locks of the run


class WorkerError(Exception):
    """A worker ended, or its command failed."""


class Role:
    """The work of a worker. `open` is called once in its loop; each public coroutine is a command by its name."""

    NAME: ClassVar[str]

    def __init__(self, *, urls: Mapping[str, str], pids: Mapping[str, int]) -> None:
        self.urls = urls
        self.pids = pids

    async def open(self) -> None:
        """Connect."""

    async def close(self) -> None:
        """Release all resources."""


class Worker:
    """The run's handle of a role that works in a child process."""

    def __init__(self, role: type[Role], *, urls: Mapping[str, str], pids: Mapping[str, int]) -> None:
        self._name = role.__name__
        self._pipe, self._end = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_run, args=(role, dict(urls), dict(pids), self._end), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self._end.close()  # the child has its own: the pipe ends with the child
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:  # during a command whose answer is no longer awaited
            self._process.terminate()
        self._pipe.close()
        self._process.join(STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def begin(self, order: str, **values: object) -> None:
        """Send a command without waiting."""
        try:
            self._pipe.send((order, values))
        except BrokenPipeError:
            raise self._ended() from None

    def answer(self) -> dict[str, Any]:
        """Wait for the answer; raises `WorkerError`."""
        try:
            answer = self._pipe.recv()
        except (EOFError, ConnectionResetError):
            raise self._ended() from None
        if isinstance(answer, WorkerError):
            raise answer
        found: dict[str, Any] = answer
        return found

    def ask(self, order: str, **values: object) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        self.begin(order, **values)
        return self.answer()

    def _ended(self) -> WorkerError:
        self._process.join()
        return WorkerError(f"{self._name} ended with status {self._process.exitcode}; its errors are above.")


def _run(role: type[Role], urls: Mapping[str, str], pids: Mapping[str, int], orders: "Connection[Any, Any]") -> None:
    """The child."""
    os.setsid()  # Ctrl-C goes to the run only, which then closes the pipe
    configure_logging(service=role.NAME, level="warning")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as uvicorn runs the services
        runner.run(_serve(role(urls=urls, pids=pids), orders))


async def _serve(role: Role, orders: "Connection[Any, Any]") -> None:
    """Execute one command after another until the pipe ends."""
    loop = asyncio.get_running_loop()
    await role.open()
    try:
        with suppress(EOFError, ConnectionResetError):
            while True:
                order, values = await loop.run_in_executor(None, orders.recv)
                try:
                    answer = await getattr(role, order)(**values)
                except Exception as error:
                    sys.excepthook(type(error), error, error.__traceback__)
                    answer = WorkerError(f"{role.NAME}: {error!r}")
                orders.send(answer)
    finally:
        await role.close()
