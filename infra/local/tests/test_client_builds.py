"""Builds of the client, with a small substitute for npm that builds a small server."""

import os
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ticketing_local.client_builds import KEPT, ClientBuild, ClientBuilds
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
        self.taken: list[ClientBuild] = []

    def edit(self, text: str) -> None:
        (self.source / "pages" / "index.tsx").write_text(text)

    def take(self, on_build: Callable[[], None] = lambda: None) -> ClientBuild:
        self.taken.append(ClientBuilds(self.source, self.log).take(on_build))
        return self.taken[-1]

    @property
    def builds(self) -> int:
        calls = self.source / "npm.calls"
        return calls.read_text().count("run build") if calls.exists() else 0

    @property
    def folders(self) -> list[str]:
        return sorted(entry.name for entry in (self.source / ".builds").iterdir() if entry.is_dir())


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Checkout]:
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(NPM)
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{npm.parent}{os.pathsep}{os.environ['PATH']}")
    made = Checkout(tmp_path)
    # The log that this npm writes must not count as a change of the sources.
    (made.source / "npm.calls").symlink_to(tmp_path / "npm.calls")
    yield made
    for build in made.taken:
        build.release()


@pytest.fixture(autouse=True)
def exclude_call_log_from_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ticketing_local.client_builds.MADE_FILES", frozenset({"npm.calls", "fail", "die"}))


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[ClientBuild], ClientProcess]]:
    running: list[ClientProcess] = []

    def start(build: ClientBuild) -> ClientProcess:
        port = free_port()
        process = ClientProcess(build.folder, tmp_path / f"{port}.log", port=port, environment={"PORT": str(port)})
        running.append(process)
        process.start()
        return process

    yield start
    for process in running:
        process.stop()


def script_of(client: ClientProcess) -> str:
    with urllib.request.urlopen(f"{client.url}/script.js", timeout=60) as answer:
        return str(answer.read().decode()).strip()


def test_each_stack_serves_the_sources_it_was_started_with(
    checkout: Checkout, serve: Callable[[ClientBuild], ClientProcess]
) -> None:
    first = serve(checkout.take())
    checkout.edit("second")
    second = serve(checkout.take())
    assert (script_of(first), script_of(second)) == ("first", "second")
    assert checkout.builds == 2


@pytest.mark.unit
def test_only_a_change_of_the_sources_causes_a_build(checkout: Checkout) -> None:
    builds: list[None] = []
    first = checkout.take(lambda: builds.append(None))
    for unchanged in ("tests/a.ts", ".hidden/a.ts", "node_modules/a/index.js", ".next/cache/a"):
        (checkout.source / unchanged).parent.mkdir(parents=True, exist_ok=True)
        (checkout.source / unchanged).touch()
    os.utime(checkout.source / "pages" / "index.tsx")
    assert checkout.take(lambda: builds.append(None)).folder == first.folder
    assert (checkout.builds, len(builds)) == (1, 1)

    checkout.edit("second")
    assert checkout.take().folder != first.folder
    checkout.edit("first")
    assert checkout.take().folder == first.folder, "this state has a build already"
    (checkout.source / "pages" / "index.tsx").rename(checkout.source / "pages" / "other.tsx")
    (checkout.source / "pages" / "index.tsx").write_text("first")
    assert checkout.take().folder != first.folder, "a name is part of the sources"
    assert checkout.builds == 3


@pytest.mark.unit
def test_two_concurrent_starts_build_once(checkout: Checkout) -> None:
    barrier = threading.Barrier(4)

    def take() -> Path:
        barrier.wait()
        return checkout.take().folder

    with ThreadPoolExecutor(4) as pool:
        folders = {future.result() for future in [pool.submit(take) for _ in range(4)]}
    assert len(folders) == 1
    assert checkout.builds == 1


@pytest.mark.unit
def test_a_failed_build_is_not_kept_and_its_error_is_reported(checkout: Checkout) -> None:
    (checkout.source / "fail").touch()
    with pytest.raises(ServerStartError, match="it does not compile"):
        checkout.take()
    assert checkout.folders == []
    (checkout.source / "fail").unlink()
    assert (checkout.take().folder / "server.js").is_file()


@pytest.mark.unit
def test_a_process_killed_during_a_build_leaves_no_build(checkout: Checkout) -> None:
    (checkout.source / "die").touch()
    script = (
        "import sys; from pathlib import Path; from ticketing_local.client_builds import ClientBuilds; "
        "ClientBuilds(Path(sys.argv[1]), Path(sys.argv[2])).take(lambda: None)"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(checkout.source), str(checkout.log)], check=False)
    assert killed.returncode == -9
    assert checkout.folders == []
    (checkout.source / "die").unlink()
    assert (checkout.take().folder / "server.js").is_file()
    assert len(checkout.folders) == 1


@pytest.mark.unit
def test_an_unfinished_build_of_a_crash_is_removed(checkout: Checkout) -> None:
    (checkout.source / ".builds" / "unfinished-x" / "half").mkdir(parents=True)
    build = checkout.take()
    assert checkout.folders == [build.folder.name]


@pytest.mark.unit
def test_sources_that_change_during_a_build_are_built_again(checkout: Checkout) -> None:
    (checkout.source / "edit-while-building").touch()
    build = checkout.take()
    assert (build.folder / "static" / "script.js").read_text().strip() == "edited"
    assert checkout.builds == 2
    assert checkout.take().folder == build.folder


@pytest.mark.unit
def test_a_build_in_use_is_never_removed_and_older_unused_ones_are(checkout: Checkout) -> None:
    used = checkout.take()
    others: list[ClientBuild] = []
    for number in range(KEPT + 2):
        checkout.edit(f"number {number}")
        others.append(checkout.take())
        os.utime(others[-1].folder, (number, number))
        others[-1].release()
    checkout.edit("last")
    last = checkout.take()
    kept = {used.folder.name, last.folder.name, *(one.folder.name for one in others[-KEPT:])}
    assert set(checkout.folders) == kept

    used.release()
    shutil.rmtree(others[-1].folder)  # removed by hand
    for number in range(KEPT + 1):
        checkout.edit(f"later {number}")
        checkout.take().release()
    assert used.folder.name not in checkout.folders
    assert last.folder.name in checkout.folders
    newest_of_its_time = 1  # in use when the last removal took place
    assert len(list((checkout.source / ".builds").glob("*.use"))) == 1 + KEPT + newest_of_its_time
