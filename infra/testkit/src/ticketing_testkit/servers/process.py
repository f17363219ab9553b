"""One server process: start, readiness, pause, kill and stop; it never outlives its parent."""

import contextlib
import ctypes
import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from .binaries import ServerStartError, missing_libraries

READY_SECONDS: Final = 30.0
STOP_SECONDS: Final = 10.0
PR_SET_PDEATHSIG: Final = 1
PORTS_HELD: Final = 128  # far below the limit of open files
_held: deque[int] = deque()


def free_port() -> int:
    """A free loopback port that the system assigns to no other process while this process runs.

    The port stays bound without listening. A server may bind this specific port (with SO_REUSEADDR, as servers do), but
    the system does not assign it to a request for any port. Otherwise a killed server could find its port taken later.
    """
    probe = socket.socket()
    probe.bind(("127.0.0.1", 0))
    probe.setsockopt(
        socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
    )  # set after the bind, so that a port bound by another process is not shared
    port: int = probe.getsockname()[1]
    if len(_held) == PORTS_HELD:
        os.close(_held.popleft())
    _held.append(probe.detach())
    return port


def is_alive(pid: int) -> bool:
    """Whether a process with this id exists."""
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _die_with_parent() -> Callable[[], None] | None:
    """The function that the child runs before exec: it makes the kernel kill the child when its parent ends (Linux).

    Everything that takes a lock happens here, before the fork: if another thread holds a lock at the fork, no thread
    of the child ever releases it.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def in_child() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # the parent ended before the call
            os._exit(1)

    return in_child


class ServerProcess:
    """A server with its own folder and log file; subclasses define its command and its readiness."""

    name: str

    def __init__(self, directory: Path, *, port: int | None = None) -> None:
        self.directory = directory.absolute()  # also the server's working directory
        self.port = port or free_port()
        self.log = self.directory / f"{self.name}.log"
        self._command: Sequence[str] = ()
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str]:
        """The command line."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        """Variables added to the environment."""
        return {}

    def is_ready(self) -> bool:
        """Whether it answers; an OSError means no."""
        raise NotImplementedError

    @property
    def pid(self) -> int | None:
        """The process id, while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Start and wait until ready; raises `ServerStartError` with the last lines of its log."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start without waiting; raises `ServerStartError` when the process cannot be started."""
        if self._taken():
            raise ServerStartError(f"Another program listens on port {self.port}, which {self.name} needs.")
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self.log.parent.mkdir(parents=True, exist_ok=True)
            self._command = self.command()
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=self.directory,
                    env={**os.environ, **self.environment()},
                    start_new_session=True,  # Ctrl-C goes to the parent only, which stops its children in order
                    preexec_fn=_die_with_parent(),
                )
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise ServerStartError(self._disk_full()) from error
            raise ServerStartError(f"{self.name} cannot be started: {error}.") from error

    def wait_until_ready(self, seconds: float = READY_SECONDS) -> None:
        """Return when it answers; raises `ServerStartError` when it ends or does not answer in time."""
        deadline = time.monotonic() + seconds
        while True:
            if self._process is None or self._process.poll() is not None:
                raise ServerStartError(self._why())
            with contextlib.suppress(OSError):
                if self.is_ready():
                    return
            if time.monotonic() > deadline:
                self.stop()
                raise ServerStartError(f"{self.name} did not answer in {seconds:.0f} s. Its log ends:\n{self.tail()}")
            time.sleep(0.02)

    @property
    def exit_code(self) -> int | None:
        """The exit code if it ended by itself; None while it runs or after `stop`."""
        return None if self._process is None else self._process.poll()

    def tail(self, lines: int = 12) -> str:
        """The last lines of its log."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return "(no log)"

    @property
    def url(self) -> str:
        """Its address, in the form that its clients use."""
        raise NotImplementedError

    def terminate(self) -> None:
        """SIGTERM, without waiting."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)  # a paused process handles no other signal
            self._process.terminate()

    def stop(self) -> None:
        """Send SIGTERM, and SIGKILL if the process does not end."""
        process = self._process
        if process is None:
            return
        self.terminate()
        if process.poll() is None:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()
        self._process = None

    def kill(self) -> None:
        """Send SIGKILL, as in a crash."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Start again with the same folder and port."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze it (SIGSTOP): connections stay open, no responses come. Returns when every thread has stopped.

        The signal alone stops nothing: until a thread of the process handles it, the others go on answering.
        """
        if self._process is None:
            return
        self._process.send_signal(signal.SIGSTOP)
        if sys.platform == "linux":
            with contextlib.suppress(ChildProcessError):  # it has ended
                # WNOWAIT leaves its state to Popen, and to the next pause of a process that is paused already.
                os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """End the pause."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Pause it inside this block; it resumes even if the block raises."""
        self.pause()
        try:
            yield
        finally:
            self.resume()

    def _taken(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _disk_full(self) -> str:
        return f"The disk that holds {self.directory} is full: free some space, or choose another --data-dir."

    def _why(self) -> str:
        libraries = missing_libraries(Path(self._command[0]))
        if libraries:
            return (
                f"{self.name} lacks the system libraries {', '.join(libraries)}: install them with your system's "
                f"package manager, or point to a running server (MONGO_URL, NATS_URL, REDIS_URL)."
            )
        tail = self.tail()
        lowered = tail.lower()
        if "no space left" in lowered:
            return self._disk_full()
        if "address already in use" in lowered:
            return f"Another program listens on port {self.port}, which {self.name} needs."
        return f"{self.name} ended while starting. Its log ends:\n{tail}"
