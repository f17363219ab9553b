"""The run's own processes: servers that end with it, workers that say what went wrong."""

from pathlib import Path

import psutil
import pytest

from ticketing_bench.delivery.relay import RelayRole
from ticketing_bench.load.generator import LoadRole
from ticketing_bench.servers import running_servers
from ticketing_bench.worker import Worker, WorkerError


def test_servers_end_with_their_run_and_so_does_their_data() -> None:
    def fail_within() -> None:
        with running_servers() as servers:
            found.extend(map(psutil.Process, servers.pids.values()))
            folders.extend(Path(process.cwd()) for process in found)
            assert all(folder.exists() for folder in folders)
            raise RuntimeError("the run failed")

    found: list[psutil.Process] = []
    folders: list[Path] = []
    with pytest.raises(RuntimeError, match="the run failed"):
        fail_within()

    assert len(found) == 2
    assert not any(process.is_running() for process in found)
    assert not any(folder.exists() for folder in folders)


def test_a_worker_reports_a_failed_command_and_continues(capfd: pytest.CaptureFixture[str]) -> None:
    with Worker(LoadRole, urls={}, pids={}) as worker:
        for _ in range(2):
            with pytest.raises(WorkerError, match="no attribute 'dance'"):
                worker.ask("dance")
    assert "Traceback" in capfd.readouterr().err


def test_a_worker_that_cannot_start_is_reported(capfd: pytest.CaptureFixture[str]) -> None:
    with Worker(RelayRole, urls={}, pids={}) as worker, pytest.raises(WorkerError, match="ended with status 1"):
        worker.ask("raw", count=1)
    assert "KeyError: 'mongo_url'" in capfd.readouterr().err
