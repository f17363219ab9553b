"""The fault run itself: short, with a fixed plan of faults; its result must not depend on timing."""

import json
import os
import shutil
import signal
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from ticketing_ops.data_dir import DataDir
from ticketing_system.chaos import run as chaos_run
from ticketing_system.chaos.schedule import KILLED, Fault
from ticketing_testkit.servers import NatsServer, is_alive
from ticketing_testkit.waiting import wait_until

pytestmark = pytest.mark.flow

CHAOS: Final = Path(sysconfig.get_path("scripts")) / "ticketing-chaos"
SEED: Final = 5
SECONDS: Final = 19
"""Long enough for the plan of this seed to kill every process."""
SETTLE_SECONDS: Final = 60
"""More than the 30 that `make chaos` allows: the machine may be busy with other things."""


def test_nothing_that_was_acknowledged_is_lost_when_every_process_is_killed(tmp_path: Path) -> None:
    arguments = ["--seed", SEED, "--seconds", SECONDS, "--settle-seconds", SETTLE_SECONDS, "--json"]
    ended = subprocess.run(
        [CHAOS, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    report = json.loads(ended.stdout)
    assert report["failures"] == []
    assert set(report["faults"]["kill"]) == set(KILLED)
    for action in ("list", "hold", "pay", "cancel"):
        assert report["acknowledged"][action] > 0, report
    assert report["outcomes"]["order complete"] > 0
    assert list(tmp_path.glob("ticketing-chaos-*")) == []  # kept only when something is wrong


def test_events_that_the_bus_lost_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: events published while expiration was down are lost with the bus, and the run reports it.

    Meanwhile people list, hold and pay, so there are such events. Without tickets they soon have no seat to hold.
    """
    plan = [Fault(3.0, "expiration", "kill", 5.0), Fault(6.0, "nats-server", "kill", 0.1)]
    monkeypatch.setattr(chaos_run, "plan_faults", lambda _seed, _seconds: plan)
    start = NatsServer.command

    def start_with_nothing(server: NatsServer) -> Sequence[str]:
        shutil.rmtree(server.directory / "jetstream", ignore_errors=True)
        return start(server)

    monkeypatch.setattr(NatsServer, "command", start_with_nothing)

    report = chaos_run.run(chaos_run.RunOptions(SEED, 10, tmp_path / "data", settle_seconds=12), lambda _text: None)

    assert report.recovery_seconds is None
    # Without `order.created` expiration knows no deadline, so nothing ends an unpaid hold. If buyers and sellers ended
    # all of those holds, the audit finds the deadlines that are missing.
    lost = [
        failure
        for failure in report.failures
        if "is still created" in failure or ("missing" in failure and "expiration.deadlines" in failure)
    ]
    assert lost, report.failures


def test_an_interrupted_run_leaves_nothing_behind(tmp_path: Path) -> None:
    with subprocess.Popen(
        [CHAOS, "--seed", str(SEED)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if " s  kill " in line or " s  pause " in line:
                break
        (folder,) = tmp_path.glob("ticketing-chaos-*")
        state = DataDir(folder).read_state()
        run.send_signal(signal.SIGINT)
        printed, _ = run.communicate(timeout=60)

    assert run.returncode == 130, printed
    assert state is not None
    assert len(state.processes) == len(KILLED) + 2, "with the Stripe double and the mail server"
    assert not folder.exists()
    wait_until(lambda: not any(map(is_alive, state.processes.values())))
