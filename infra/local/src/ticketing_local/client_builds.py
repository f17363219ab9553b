"""Builds of the client: each is made once for its sources, and every stack serves a copy of its own.

client/.next/             output of `npm run build`; nothing is served from it
client/.builds/<digest>/  a finished build (Next's standalone folder); it appears atomically and never changes
client/.builds/lock       locked while a build is made, copied or removed
"""

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ticketing_testkit.servers import ServerStartError

KEPT: Final = 3
"""Number of builds that are kept: returning to another branch needs no new build."""
ATTEMPTS: Final = 3
UNFINISHED: Final = "unfinished-"
NO_SOURCES: Final = frozenset({"node_modules", "tests", "test-results", "playwright-report"})
MADE_FILES: Final = frozenset({"next-env.d.ts", "tsconfig.tsbuildinfo", "README.md"})
"""Files that the compiler writes, or that do not affect the build."""


class ClientBuilds:
    """The builds of one checkout's client, shared by its stacks."""

    def __init__(self, source: Path, log: Path) -> None:
        self._source = source
        self._log = log
        self._folder = source / ".builds"

    def copy_to(self, folder: Path, on_build: Callable[[], None]) -> None:
        """Replace `folder` with the build of the present sources; calls `on_build` before a new build.

        The files are hard links where the file system allows it, so a copy takes no space, and stays when its build is
        removed. Of several concurrent calls, in any processes, one builds and the others wait for it. Raises
        `ServerStartError` with the last lines of npm's log.
        """
        with self._locked():
            digest = self._digest()
            if not (self._folder / digest).is_dir():
                on_build()
                digest = self._build(digest)
            build = self._folder / digest
            os.utime(build)  # the most recently used build is removed last
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(build, folder, symlinks=True, copy_function=_link)
            self._remove_old()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock; the kernel releases it when this process ends for any reason."""
        self._folder.mkdir(exist_ok=True)
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _digest(self) -> str:
        """Digest of all inputs of a build: names and contents, without times, so that each checkout gives the same."""
        total = hashlib.sha256()
        for file in sorted(self._sources()):
            name = file.relative_to(self._source).as_posix()
            total.update(f"{name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
        return total.hexdigest()[:16]

    def _sources(self) -> Iterator[Path]:
        for entry in self._source.iterdir():
            if entry.is_file() and entry.name not in MADE_FILES:
                yield entry
            elif entry.is_dir() and not entry.name.startswith(".") and entry.name not in NO_SOURCES:
                yield from (file for file in entry.rglob("*") if file.is_file())

    def _build(self, digest: str) -> str:
        """Build, and move the result into place; returns its digest, which differs if the sources changed meanwhile."""
        for _ in range(ATTEMPTS):
            self._install()
            self._npm("run", "build")
            built, digest = digest, self._digest()
            if built == digest:
                break
        else:
            raise ServerStartError("The client's sources changed during the build: save them, and start again.")
        unfinished = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self._folder))
        made = shutil.copytree(self._source / ".next" / "standalone", unfinished / digest, symlinks=True)
        os.rename(made, self._folder / digest)
        unfinished.rmdir()
        return digest

    def _install(self) -> None:
        """Run `npm ci` if packages are missing."""
        installed = self._source / "node_modules" / ".package-lock.json"
        lock = self._source / "package-lock.json"
        if not installed.is_file() or installed.stat().st_mtime < lock.stat().st_mtime:
            self._npm("ci", "--no-audit", "--no-fund")

    def _remove_old(self) -> None:
        """Remove what a crash left unfinished, and all builds except the newest `KEPT`."""
        for unfinished in self._folder.glob(f"{UNFINISHED}*"):
            shutil.rmtree(unfinished)
        builds = [entry for entry in self._folder.iterdir() if entry.is_dir()]
        builds.sort(key=lambda build: build.stat().st_mtime, reverse=True)
        for build in builds[KEPT:]:
            # Renamed before the removal: the remains after a crash do not count as a build.
            gone = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self._folder))
            os.rename(build, gone / build.name)
            shutil.rmtree(gone)

    def _npm(self, *arguments: str) -> None:
        npm = shutil.which("npm")
        if npm is None:
            raise ServerStartError("npm is missing: install Node.js 20 or newer, or run with --no-client.")
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with (
            self._log.open("ab") as log,
            subprocess.Popen(
                [npm, *arguments],
                cwd=self._source,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "NEXT_TELEMETRY_DISABLED": "1"},
            ) as process,
        ):
            try:
                status = process.wait()
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)  # npm starts child processes, which would continue without it
                raise
        if status != 0:
            tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-12:])
            raise ServerStartError(f"npm {' '.join(arguments)} failed. Its log ends:\n{tail}")


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
