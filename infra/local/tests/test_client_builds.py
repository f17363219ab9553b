"""Builds of the client, with a small substitute for npm that builds a small server."""

import itertools
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ticketing_local.client_builds import KEPT, ClientBuilds
from ticketing_local.services import ClientProcess
from ticketing_testkit.servers import ServerStartError, free_port

NPM = """#!/bin/sh
echo "$@" >> npm.calls
rm -rf .next/standalone
mkdir -p .next/standalone/static
[ -f edit-while-building ] && rm edit-while-building && echo edited > pages/index.tsx
cp pages/index.tsx .next/standalone/static/script.js
[ -f fail ] && { echo "it does not compile"; exit 1; }
[ -f die ] && kill -9 $PPID
cp server.js .next/standalone/server.js
"""
SERVER = """
const fs = require("node:fs");
const folder = `${__dirname}/static`;
require("node:http").createServer((request, response) => {
  const file = `${folder}/${request.url.slice(1)}`;
  const found = request.url === "/" || fs.existsSync(file);
  response.writeHead(found ? 200 : 400).end(request.url === "/" || !found ? "" : fs.readFileSync(file));
}).listen(process.env.PORT, "127.0.0.1");
"""


class Checkout:
    """The client's sources of a checkout."""

    def __init__(self, folder: Path) -> None:
        self.source = folder / "client"
        (self.source / "pages").mkdir(parents=True)
        (self.source / "server.js").write_text(SERVER)
        (self.source / "package-lock.json").touch()
        (self.source / "node_modules").mkdir()
        (self.source / "node_modules" / ".package-lock.json").touch()
        self.edit("first")
        self.log = folder / "client.log"
        self._copies = itertools.count()

    def edit(self, text: str) -> None:
        (self.source / "pages" / "index.tsx").write_text(text)

    def take(self, on_build: Callable[[], None] = lambda: None) -> Path:
        """The copy that a new stack gets."""
        copy = self.source.parent / f"stack-{next(self._copies)}"
        ClientBuilds(self.source, self.log).copy_to(copy, on_build)
        return copy

    @property
    def builds(self) -> int:
        calls = self.source / "npm.calls"
        return calls.read_text().count("run build") if calls.exists() else 0

    @property
    def folders(self) -> list[str]:
        return sorted(entry.name for entry in (self.source / ".builds").iterdir() if entry.is_dir())


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(NPM)
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{npm.parent}{os.pathsep}{os.environ['PATH']}")
    made = Checkout(tmp_path)
    # The log that this npm writes must not count as a change of the sources.
    (made.source / "npm.calls").symlink_to(tmp_path / "npm.calls")
    return made


@pytest.fixture(autouse=True)
def exclude_call_log_from_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ticketing_local.client_builds.MADE_FILES", frozenset({"npm.calls", "fail", "die"}))


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[Path], ClientProcess]]:
    running: list[ClientProcess] = []

    def start(build: Path) -> ClientProcess:
        port = free_port()
        process = ClientProcess(build, tmp_path / f"{port}.log", port=port, environment={"PORT": str(port)})
        running.append(process)
        process.start()
        return process

    yield start
    for process in running:
        process.stop()


def script_in(folder: Path) -> str:
    return (folder / "static" / "script.js").read_text().strip()


def script_of(client: ClientProcess) -> str:
    with urllib.request.urlopen(f"{client.url}/script.js", timeout=60) as answer:
        return str(answer.read().decode()).strip()


def test_each_stack_serves_the_sources_it_was_started_with(
    checkout: Checkout, serve: Callable[[Path], ClientProcess]
) -> None:
    first = serve(checkout.take())
    checkout.edit("second")
    second = serve(checkout.take())
    assert (script_of(first), script_of(second)) == ("first", "second")
    assert checkout.builds == 2


@pytest.mark.unit
def test_only_a_change_of_the_sources_causes_a_build(checkout: Checkout) -> None:
    builds: list[None] = []
    checkout.take(lambda: builds.append(None))
    for unchanged in ("tests/a.ts", ".hidden/a.ts", "node_modules/a/index.js", ".next/cache/a"):
        (checkout.source / unchanged).parent.mkdir(parents=True, exist_ok=True)
        (checkout.source / unchanged).touch()
    os.utime(checkout.source / "pages" / "index.tsx")
    checkout.take(lambda: builds.append(None))
    assert (checkout.builds, len(builds)) == (1, 1)

    checkout.edit("second")
    checkout.take()
    assert checkout.builds == 2
    checkout.edit("first")
    checkout.take()
    assert checkout.builds == 2, "this state has a build already"
    (checkout.source / "pages" / "index.tsx").rename(checkout.source / "pages" / "other.tsx")
    (checkout.source / "pages" / "index.tsx").write_text("first")
    checkout.take()
    assert checkout.builds == 3, "a name is part of the sources"


@pytest.mark.unit
def test_two_concurrent_starts_build_once(checkout: Checkout) -> None:
    barrier = threading.Barrier(4)

    def take() -> str:
        barrier.wait()
        return script_in(checkout.take())

    with ThreadPoolExecutor(4) as pool:
        scripts = {future.result() for future in [pool.submit(take) for _ in range(4)]}
    assert scripts == {"first"}
    assert checkout.builds == 1


@pytest.mark.unit
def test_a_failed_build_is_not_kept_and_its_error_is_reported(checkout: Checkout) -> None:
    (checkout.source / "fail").touch()
    with pytest.raises(ServerStartError, match="it does not compile"):
        checkout.take()
    assert checkout.folders == []
    (checkout.source / "fail").unlink()
    assert (checkout.take() / "server.js").is_file()


@pytest.mark.unit
def test_a_process_killed_during_a_build_leaves_no_build(checkout: Checkout) -> None:
    (checkout.source / "die").touch()
    script = (
        "import sys; from pathlib import Path; from ticketing_local.client_builds import ClientBuilds; "
        "ClientBuilds(Path(sys.argv[1]), Path(sys.argv[2])).copy_to(Path(sys.argv[2]).with_name('copy'), lambda: None)"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(checkout.source), str(checkout.log)], check=False)
    assert killed.returncode == -9
    assert checkout.folders == []
    (checkout.source / "die").unlink()
    assert (checkout.take() / "server.js").is_file()
    assert len(checkout.folders) == 1


@pytest.mark.unit
def test_an_unfinished_build_of_a_crash_is_removed(checkout: Checkout) -> None:
    (checkout.source / ".builds" / "unfinished-x" / "half").mkdir(parents=True)
    checkout.take()
    assert len(checkout.folders) == 1
    assert not checkout.folders[0].startswith("unfinished")


@pytest.mark.unit
def test_sources_that_change_during_a_build_are_built_again(checkout: Checkout) -> None:
    (checkout.source / "edit-while-building").touch()
    assert script_in(checkout.take()) == "edited"
    assert checkout.builds == 2
    assert script_in(checkout.take()) == "edited"
    assert checkout.builds == 2


@pytest.mark.unit
def test_old_builds_are_removed_and_the_copies_of_stacks_stay(checkout: Checkout) -> None:
    copy = checkout.take()
    known = set[str]()
    for number in range(KEPT + 2):
        (newest,) = set(checkout.folders) - known
        os.utime(checkout.source / ".builds" / newest, (number, number))
        known = set(checkout.folders)
        checkout.edit(f"number {number}")
        checkout.take()
    assert len(checkout.folders) == KEPT
    assert script_in(copy) == "first"
    builds = checkout.builds
    checkout.edit("first")
    assert script_in(checkout.take()) == "first"
    assert checkout.builds == builds + 1, "its build was the least recently used"


@pytest.mark.unit
def test_a_copy_replaces_that_of_an_earlier_start(checkout: Checkout, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    builds = ClientBuilds(checkout.source, checkout.log)
    builds.copy_to(copy, lambda: None)
    checkout.edit("second")
    (copy / "leftover").touch()
    builds.copy_to(copy, lambda: None)
    assert script_in(copy) == "second"
    assert not (copy / "leftover").exists()
