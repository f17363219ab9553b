"""A separate process for each side, so that generator, subject and reference never share an event loop.

The run starts one per role and keeps it for all rounds; commands and answers are lines of JSON.
"""

import asyncio
import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import IO, Any, ClassVar, Self, TypeAlias

import uvloop

from ticketing_common.telemetry import configure_logging

__all__ = ["Role", "Worker", "WorkerError"]

Answer: TypeAlias = dict[str, Any]


class WorkerError(Exception):
    """A worker ended, or its command failed; the message is the end of its output."""


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
        self._name = f"{role.__module__}:{role.__qualname__}"
        self._setup = {"urls": dict(urls), "pids": dict(pids)}
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, self._name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C goes to the run only, which then closes the worker's input
        )
        self._write(self._setup)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if kind is not None:  # during a command whose answer is no longer awaited
            process.terminate()
        if process.stdin is not None and not process.stdin.closed:
            with suppress(BrokenPipeError):
                process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def begin(self, order: str, **values: object) -> None:
        """Send a command without waiting."""
        self._write({"order": order, "values": values})

    def answer(self) -> Answer:
        """Wait for the answer; raises `WorkerError`."""
        line = self._open.stdout.readline() if self._open.stdout else ""
        if not line:
            raise WorkerError(f"{self._name} ended with status {self._open.wait()}; its errors are above.")
        answer: Answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(f"{self._name}: {answer['error']}")
        return answer

    def ask(self, order: str, **values: object) -> Answer:
        """Send a command and wait for its answer."""
        self.begin(order, **values)
        return self.answer()

    @property
    def _open(self) -> "subprocess.Popen[str]":
        if self._process is None:
            raise RuntimeError("the worker is not running")
        return self._process

    def _write(self, value: object) -> None:
        stdin = self._open.stdin
        if stdin is None:
            raise RuntimeError("the worker has no input")
        try:
            stdin.write(json.dumps(value) + "\n")
            stdin.flush()
        except BrokenPipeError:
            raise WorkerError(f"{self._name} ended with status {self._open.wait()}; its errors are above.") from None


async def serve(name: str, answers: IO[str]) -> None:
    """The child: execute one command per line until the input ends."""
    module, _, role_name = name.partition(":")
    loop = asyncio.get_running_loop()
    setup = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    role: Role = getattr(importlib.import_module(module), role_name)(**setup)
    await role.open()
    try:
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            order = json.loads(line)
            try:
                answer = await getattr(role, order["order"])(**order["values"])
            except Exception as error:
                sys.excepthook(type(error), error, error.__traceback__)
                answer = {"error": repr(error)}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
    finally:
        await role.close()


def main() -> None:
    """`python -m ticketing_bench.worker module:Role`."""
    # Answers go to the real standard output; all other output, such as logs, goes to standard error.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    configure_logging(service=sys.argv[1], level="warning")
    signal.signal(signal.SIGTERM, lambda *_: os._exit(1))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as uvicorn runs the services
        runner.run(serve(sys.argv[1], answers))


if __name__ == "__main__":
    main()
