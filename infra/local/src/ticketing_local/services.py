"""The product's own processes: five services, the two workers, and the client."""

import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from ticketing_testkit.servers import ServerProcess, ServerStartError

GRACEFUL_SECONDS: Final = 4


class _HttpProcess(ServerProcess):
    """A process that is ready when its `ready_path` answers with 200."""

    ready_path = "/readyz"

    def __init__(self, name: str, directory: Path, log: Path, *, port: int, environment: Mapping[str, str]) -> None:
        self.name = name
        super().__init__(directory, port=port)
        self.log = log
        self._environment = environment

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> Mapping[str, str]:
        """The settings of the process."""
        return self._environment

    def is_ready(self) -> bool:
        """Send the request of the readiness probe."""
        try:
            with urllib.request.urlopen(f"{self.url}{self.ready_path}", timeout=2) as answer:  # noqa: S310 (loopback)
                return bool(answer.status == 200)
        except urllib.error.HTTPError:
            return False


class ServiceProcess(_HttpProcess):
    """A FastAPI service under uvicorn; `runner` is the program that receives uvicorn's arguments."""

    runner: Sequence[str] = (sys.executable, "-m", "uvicorn")

    def command(self) -> Sequence[str]:
        """The command of the images, with another address."""
        return [
            *(*self.runner, f"ticketing_{self.name}.app:create_app", "--factory"),
            *("--host", "127.0.0.1", "--port", str(self.port), "--loop", "uvloop"),
            *("--http", "ticketing_common.web.http_protocol:HttpProtocol", "--no-server-header"),
            *("--limit-concurrency", "6000", "--no-access-log", "--timeout-graceful-shutdown", str(GRACEFUL_SECONDS)),
        ]


WORKERS: Final[Mapping[str, tuple[str, str]]] = {
    "worker": ("expiration", "ticketing_expiration.worker"),
    "mail": ("auth", "ticketing_auth.worker"),
}
"""Each worker's service and module, by the name of the process."""


class WorkerProcess(_HttpProcess):
    """A worker of a service, which serves its health checks on a separate port."""

    def __init__(self, name: str, directory: Path, log: Path, *, port: int, environment: Mapping[str, str]) -> None:
        super().__init__(name, directory, log, port=port, environment=environment)
        self.runner: Sequence[str] = (sys.executable, "-m", WORKERS[name][1])

    def command(self) -> Sequence[str]:
        """The command of the image: a module, not a script."""
        return self.runner


class ClientProcess(_HttpProcess):
    """The Next.js client: a finished build with its standalone server."""

    ready_path = "/"  # the first page calls the services: ready means usable

    def __init__(self, build: Path, log: Path, *, port: int, environment: Mapping[str, str]) -> None:
        super().__init__("client", build, log, port=port, environment=environment)

    def command(self) -> Sequence[str]:
        """The command of the image, without npm in between: signals reach the server itself."""
        return [find_node(), str(self.directory / "server.js")]


def find_node() -> str:
    """Path of Node.js; raises `ServerStartError` when it is missing or too old."""
    node = shutil.which("node")
    if node is None:
        raise ServerStartError("Node.js is missing: install version 20 or newer, or run with --no-client.")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    if int(version.lstrip("v").partition(".")[0] or 0) < 20:
        raise ServerStartError(f"Node.js 20 or newer is needed; this is {version}. Or run with --no-client.")
    return node
