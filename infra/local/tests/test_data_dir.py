"""The data directory of a stack and its lock."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

import ticketing_ops
from ticketing_local.keys import Keys
from ticketing_ops.data_dir import AlreadyRunningError, DataDir, StackState
from ticketing_testkit.servers import free_port

pytestmark = pytest.mark.unit


def test_a_data_directory_has_one_owner_at_a_time(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "stack")

    with data.locked():
        assert data.is_running()
        with pytest.raises(AlreadyRunningError), data.locked():
            pass

    assert not data.is_running()


def test_ownership_ends_with_the_process_even_after_a_kill(tmp_path: Path) -> None:
    code = f"""
import os, pathlib
from ticketing_ops.data_dir import DataDir
with DataDir(pathlib.Path({str(tmp_path)!r})).locked():
    os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    assert not DataDir(tmp_path).is_running()


def test_the_state_is_read_back_as_written(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    state = StackState(1, "ready", addresses={"client": "http://localhost:3000"}, processes={"auth": 7})
    data.write_state(state)
    assert data.read_state() == state


def test_a_broken_state_file_is_no_state(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    assert data.read_state() is None
    (tmp_path / "state.json").write_text('{"half": ')
    assert data.read_state() is None
    (tmp_path / "state.json").write_text('{"unknown": 1}')
    assert data.read_state() is None


def test_keys_are_created_once_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    made, again = Keys.load_or_make(tmp_path / "keys"), Keys.load_or_make(tmp_path / "keys")

    assert made == again
    for file in (tmp_path / "keys").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert Keys.load_or_make(tmp_path / "others") != made


def test_wiping_deletes_keys_and_data(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "stack")
    with data.locked():
        Keys.load_or_make(data.path / "keys")
        data.seeded.touch()
    data.wipe()
    assert {entry.name for entry in data.path.iterdir()} == {"lock"}


def test_wiping_keeps_files_that_no_stack_created(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").touch()
    (tmp_path / "thesis.txt").touch()
    DataDir(tmp_path).create()

    DataDir(tmp_path).wipe()

    assert {entry.name for entry in tmp_path.iterdir()} == {"photos", "thesis.txt"}
    assert (tmp_path / "photos" / "one.jpg").exists()


def test_a_check_whether_a_stack_runs_never_prevents_its_start(tmp_path: Path) -> None:
    data, stop = DataDir(tmp_path), threading.Event()
    data.create()

    def ask() -> None:
        while not stop.is_set():
            data.is_running()

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(200):
            with data.locked():
                pass
    finally:
        stop.set()
        asking.join()


def test_is_running_creates_no_directory(tmp_path: Path) -> None:
    assert not DataDir(tmp_path / "nothing").is_running()
    assert not (tmp_path / "nothing").exists()


def test_the_demo_against_an_address_needs_no_checkout(tmp_path: Path) -> None:
    """As in the tools' image, where `skaffold verify` runs it: the package is near the root of the file system."""
    with tempfile.TemporaryDirectory(prefix="app-") as folder:
        shutil.copytree(Path(ticketing_ops.__file__).parent, Path(folder) / "ticketing_ops")
        environment = {**os.environ, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
        command = ["demo", "--base-url", f"http://127.0.0.1:{free_port()}", "--window", "1"]
        played = subprocess.run(
            [sys.executable, "-m", "ticketing_ops", *command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    assert played.returncode == 1
    assert "ConnectError" in played.stdout, played.stdout + played.stderr
