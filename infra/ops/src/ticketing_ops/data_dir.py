"""The data directory of a stack: keys, data, logs, and the state of its processes."""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Annotated, Final, Literal

import typer

OURS: Final = (
    *("keys", "logs", "mongod", "nats", "redis", "stripe", "mail", "client"),
    *("seeded", "state.json", "fault.json"),
)
PROBE_SECONDS: Final = 0.5
_DEPTH: Final = 4
"""infra/ops/src/ticketing_ops"""


def repository_root() -> Path:
    """The checkout this package is installed from (editable); in an image, where none is, the current folder."""
    above = Path(__file__).resolve().parents
    return above[_DEPTH] if len(above) > _DEPTH else Path.cwd()


class AlreadyRunningError(Exception):
    """A stack runs in this data directory."""


@dataclass
class StackState:
    """The state of a stack, which its supervisor publishes in `state.json`."""

    supervisor_pid: int
    phase: Literal["starting", "ready", "stopping", "failed"]
    message: str = ""
    addresses: dict[str, str] = field(default_factory=dict)
    processes: dict[str, int] = field(default_factory=dict)
    dead: dict[str, str] = field(default_factory=dict)
    reservation_window_seconds: int = 900
    faults: list[str] = field(default_factory=list)
    fault_answer: dict[str, str] = field(default_factory=dict)


class DataDir:
    """One directory per stack; stacks with different directories share nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @property
    def logs(self) -> Path:
        """The directory of logs, one file for each process."""
        return self.path / "logs"

    @property
    def keys(self) -> Path:
        """The directory of keys, one file for each key."""
        return self.path / "keys"

    @property
    def seeded(self) -> Path:
        """A file that exists once the demo data has been created."""
        return self.path / "seeded"

    def server(self, name: str) -> Path:
        """The data directory of one server."""
        return self.path / name

    def create(self) -> None:
        """Create the directory, readable by its owner only because it holds keys."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.logs.mkdir(exist_ok=True)

    def wipe(self) -> None:
        """Delete everything that a stack created here, and no other file: the user may have chosen any directory."""
        for name in OURS:
            entry = self.path / name
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the directory while a stack runs; the kernel releases the lock when the process ends for any reason.

        Raises `AlreadyRunningError`.
        """
        self.create()
        deadline = time.monotonic() + PROBE_SECONDS
        with (self.path / "lock").open("w") as lock:
            while not _try_lock(lock, fcntl.LOCK_EX):
                # The holder may be another process's `is_running`, which releases the lock at once.
                if time.monotonic() > deadline:
                    raise AlreadyRunningError(self.path)
                time.sleep(0.005)
            yield

    def is_running(self) -> bool:
        """Whether a supervisor holds the lock of the directory."""
        try:
            with (self.path / "lock").open() as lock:
                return not _try_lock(lock, fcntl.LOCK_SH)
        except FileNotFoundError:
            return False

    def running_state(self) -> StackState | None:
        """The state of the stack that runs here; None if none runs."""
        return self.read_state() if self.is_running() else None

    def write_state(self, state: StackState) -> None:
        """Replace the state atomically, so that a reader never sees a part of it."""
        temporary = self.path / f"state.{os.getpid()}"
        temporary.write_text(json.dumps(asdict(state), indent=2))
        os.replace(temporary, self.path / "state.json")

    def read_state(self) -> StackState | None:
        """The last state written, also if its supervisor has ended; None if there is none or it cannot be parsed."""
        try:
            return StackState(**json.loads((self.path / "state.json").read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None


DataDirOption = Annotated[Path | None, typer.Option("--data-dir", help="Where the stack keeps its data [.local]")]


def data_dir_of(path: Path | None) -> DataDir:
    """The data directory at `path`, or the default one of the checkout."""
    return DataDir(path or repository_root() / ".local")


def _try_lock(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
