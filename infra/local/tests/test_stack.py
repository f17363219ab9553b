"""The whole product, run by the commands `ticketing up` and `down`, with typical errors in between."""

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from ticketing_common.topology import PROCESSES
from ticketing_ops.data_dir import DataDir
from ticketing_testkit.servers import NatsServer, is_alive, running
from ticketing_testkit.waiting import wait_until

from .running_stack import TICKETING, RunningStack, ticketing

pytestmark = pytest.mark.flow


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    stack = RunningStack(tmp_path_factory.mktemp("stack"), {"RESERVATION_WINDOW_SECONDS": "3"})
    with stack.running(OTEL_TRACES_EXPORTER="console"):  # each span is a line of the logs
        yield stack


def test_the_demo_passes_over_http(stack: RunningStack) -> None:
    played = stack.succeed("demo")
    assert "sold to another buyer" in played
    assert "✗" not in played


PERSONAL = {
    "an e-mail address": r"[\w.+-]+@[\w-]+(\.[\w-]+)+",
    "a token": r"eyJ[\w-]{8,}\.[\w-]+",
    "a bearer": r"[Bb]earer ",
    "a password": r"demo tickets|password[\"']?[:=]",
    "a key of Stripe": r"sk_(test|live)_|whsec_|pi_\w+_secret_",
}


def test_the_logs_of_a_complete_demo_contain_no_personal_data(stack: RunningStack) -> None:
    stack.succeed("demo")
    lines = [line for service in PROCESSES for line in stack.log(service)]
    assert len(lines) > 100, "spans are among them"
    found = [(what, line) for line in lines for what, pattern in PERSONAL.items() if re.search(pattern, line)]
    assert not found, found[:3]


@pytest.mark.parametrize(
    "line",
    [
        '{"event": "signed in", "email": "ann@example.com"}',
        '{"error": "DuplicateKeyError(dup key: { email: \\"ann@example.com\\" })"}',
        '{"headers": "Cookie: session=eyJhbGciOiJFZERTQSJ9.eyJzdWIi"}',
        '{"client": "pi_3Nabc_secret_xyz"}',
    ],
)
def test_the_search_finds_personal_data(line: str) -> None:
    assert any(re.search(pattern, line) for pattern in PERSONAL.values())


def test_the_demo_data_exists_and_is_not_created_twice(stack: RunningStack) -> None:
    tickets = stack.state.addresses["tickets"]
    before = httpx.get(f"{tickets}/api/tickets?limit=100&status=all").json()

    stack.succeed("seed")

    after = httpx.get(f"{tickets}/api/tickets?limit=100&status=all").json()
    assert len(after) == len(before) >= 20


def test_a_second_up_reports_that_the_stack_runs(stack: RunningStack) -> None:
    second = stack.up()
    assert second.returncode == 1
    assert "already running" in second.stdout


def test_two_stacks_run_side_by_side_and_share_nothing(stack: RunningStack, tmp_path: Path) -> None:
    other = RunningStack(tmp_path / "other")
    with other.running():
        ours, theirs = stack.state.addresses, other.state.addresses
        assert not set(ours.values()) & set(theirs.values())
        email = {"email": "only-there@example.com", "password": "a long password"}
        with httpx.Client() as browser:  # keeps cookies per host, as browsers do, and both stacks are on one
            signed_up = {
                auth: browser.post(f"{auth}/api/users/signup", json=email) for auth in (theirs["auth"], ours["auth"])
            }
            assert [answer.status_code for answer in signed_up.values()] == [201, 201]
            for auth, answer in signed_up.items():
                assert browser.get(f"{auth}/api/users/currentuser").json()["currentUser"]["id"] == answer.json()["id"]
            assert browser.post(f"{theirs['auth']}/api/users/signout").status_code == 200
            assert browser.get(f"{ours['auth']}/api/users/currentuser").json()["currentUser"] is not None
        state = other.state
        other.succeed("down")
    assert living(state.processes) == []
    assert not is_alive(state.supervisor_pid)


def living(processes: Mapping[str, int]) -> list[str]:
    return [name for name, pid in processes.items() if is_alive(pid)]


def test_data_survives_down_and_up(tmp_path: Path) -> None:
    stack = RunningStack(tmp_path / "kept")
    account = {"email": "stays@example.com", "password": "a long password"}
    with stack.running():
        assert httpx.post(f"{stack.state.addresses['auth']}/api/users/signup", json=account).status_code == 201
    assert stack.run("status").returncode == 3

    with stack.running():
        answer = httpx.post(f"{stack.state.addresses['auth']}/api/users/signin", json=account)
    assert answer.status_code == 200


def test_a_process_that_ends_is_reported_and_not_restarted(tmp_path: Path) -> None:
    stack = RunningStack(tmp_path / "broken")
    with stack.running():
        os.kill(stack.state.processes["tickets"], signal.SIGKILL)
        wait_until(lambda: "tickets" in json.loads(stack.run("status", "--json").stdout)["dead"])
        status = stack.run("status")
        state = stack.state
    assert status.returncode == 1
    assert "ended with status -9" in status.stdout
    assert any("tickets ended with status -9" in line for line in stack.log("supervisor"))
    assert living(state.processes) == []


def test_all_processes_end_with_a_killed_supervisor(tmp_path: Path) -> None:
    with RunningStack(tmp_path / "orphans").running() as stack:
        state = stack.state
        os.kill(state.supervisor_pid, signal.SIGKILL)
        wait_until(lambda: not living(state.processes), why=lambda: living(state.processes))


def test_a_taken_port_is_a_clear_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = ticketing("up", "--data-dir", str(tmp_path / "taken"), "--port", str(port))
    assert refused.returncode == 1
    assert f"Port {port} is taken by another program" in " ".join(refused.stdout.split())


def test_an_unusable_data_directory_is_a_clear_error(tmp_path: Path) -> None:
    refused = ticketing("up", "--no-client", "--data-dir", "/proc/nowhere")
    assert refused.returncode == 1
    assert "Choose another --data-dir" in " ".join(refused.stdout.split())


def test_a_start_interrupted_at_its_end_leaves_no_process(tmp_path: Path) -> None:
    folder = tmp_path / "interrupted"
    command = [str(TICKETING), "up", "--no-client", "--data-dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as up:
        data, state = DataDir(folder), None
        while state is None or "demo data" not in state.message:
            assert up.poll() is None
            state = data.read_state()
        up.terminate()
        printed, _ = up.communicate(timeout=30)
    assert up.returncode == 130
    assert "Stopped before it was ready" in printed
    assert living(state.processes) == []


def test_an_address_in_the_environment_replaces_the_stacks_own_server(tmp_path: Path) -> None:
    with running(NatsServer(tmp_path / "nats")) as nats:
        with RunningStack(tmp_path / "stack", {"NATS_URL": nats.url}).running() as stack:
            assert stack.state.addresses["nats"] == nats.url
            assert "nats-server" not in stack.state.processes
        assert nats.pid is not None  # `down` does not stop an external server


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("MONGO_URL", "mongodb://127.0.0.1:9/", "MONGO_URL points to 127.0.0.1:9, where no server answers"),
        ("RESERVATION_WINDOW_SECONDS", "soon", "RESERVATION_WINDOW_SECONDS must be a whole number of seconds"),
    ],
)
def test_a_wrong_setting_is_a_clear_error(tmp_path: Path, variable: str, value: str, sentence: str) -> None:
    refused = ticketing("up", "--no-client", "--data-dir", str(tmp_path / "wrong"), **{variable: value})
    assert refused.returncode == 1
    assert sentence in " ".join(refused.stdout.split())
    assert "Traceback" not in refused.stdout + refused.stderr
