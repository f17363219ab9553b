"""On what the figures were measured: without it they say nothing."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Final, Self

import psutil
from pydantic import BaseModel, ConfigDict

from ticketing_testkit.servers.binaries import ServerStartError, find_binary

LIBRARIES: Final = ("nats-py", "motor", "pymongo", "redis", "uvloop", "pydantic")
SERVERS: Final = ("mongod", "nats-server", "valkey-server")


class Machine(BaseModel):
    """`load_before` is the load average of the minute before the run: above a few tenths, others were at work."""

    model_config = ConfigDict(frozen=True)

    processor: str
    cores: int
    memory_gb: float
    system: str
    python: str
    versions: dict[str, str]
    load_before: float

    @classmethod
    def this(cls) -> Self:
        """The one we run on."""
        return cls(
            processor=_processor(),
            cores=psutil.cpu_count() or 1,
            memory_gb=round(psutil.virtual_memory().total / 2**30, 1),
            system=f"{platform.system()} {platform.release()}",
            python=platform.python_version(),
            versions={name: _server_version(name) for name in SERVERS} | {name: version(name) for name in LIBRARIES},
            load_before=round(os.getloadavg()[0], 2),
        )

    def text(self) -> str:
        """One line."""
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return (
            f"{self.cores} × {self.processor}, {self.memory_gb:g} GB, {self.system}, Python {self.python}, {versions}; "
            f"load before the run {self.load_before:g}"
        )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _server_version(name: str) -> str:
    try:
        printed = subprocess.run([find_binary(name), "--version"], capture_output=True, text=True, check=False).stdout
    except (ServerStartError, OSError):
        return "unknown"
    # "db version v6.0.5", "nats-server: v2.15.1", "Redis server v=6.2.14 sha=…"
    words = (word.removeprefix("v=").removeprefix("v") for word in printed.split())
    return next((word for word in words if word[:1].isdigit()), "unknown")
