"""The whole product, run by the commands `ticketing up` and `down`, with typical errors in between."""

import json
import os
import re
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ticketing_common.topology import PROCESSES
from ticketing_ops.data_dir import DataDir
from ticketing_testkit.servers import NatsServer, is_alive

pytestmark = pytest.mark.flow

TICKETING = Path(sysconfig.get_path("scripts")) / "ticketing"
ENVIRONMENT = {**os.environ, "RATE_LIMIT_SIGNUP": "off", "RATE_LIMIT_SIGNIN": "off", "RESERVATION_WINDOW_SECONDS": "3"}


def ticketing(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TICKETING, *arguments], capture_output=True, text=True, check=False, env={**ENVIRONMENT, **environment}
    )


class Stack:
    """A detached stack without a client."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def up(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return ticketing("up", "--detach", "--no-client", "--data-dir", str(self.folder), *arguments, **environment)

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return ticketing(command, "--data-dir", str(self.folder), *arguments)

    def log(self, process: str) -> list[str]:
        return (self.folder / "logs" / f"{process}.log").read_text().splitlines()

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.run("status", "--json").stdout)
        return state


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("stack"))
    started = stack.up(OTEL_TRACES_EXPORTER="console")  # each span is a line of the logs
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        yield stack
    finally:
        stack.run("down")


def test_the_demo_passes_over_http(stack: Stack) -> None:
    played = stack.run("demo")
    assert played.returncode == 0, played.stdout
    assert "sold to another buyer" in played.stdout
    assert "✗" not in played.stdout


PERSONAL = {
    "an e-mail address": r"[\w.+-]+@[\w-]+(\.[\w-]+)+",
    "a token": r"eyJ[\w-]{8,}\.[\w-]+",
    "a bearer": r"[Bb]earer ",
    "a password": r"demo tickets|password[\"']?[:=]",
    "a key of Stripe": r"sk_(test|live)_|whsec_|pi_\w+_secret_",
}


def test_the_logs_of_a_complete_demo_contain_no_personal_data(stack: Stack) -> None:
    assert stack.run("demo").returncode == 0
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


def test_one_trace_covers_all_processes(stack: Stack) -> None:
    assert stack.run("demo").returncode == 0
    seen: dict[str, set[str]] = {}
    begun: set[str] = set()
    for service in PROCESSES:
        for line in stack.log(service):
            span = json.loads(line) if line.startswith("{") else {}
            trace_id = (span.get("context") or {}).get("trace_id")
            if trace_id is None:
                continue
            seen.setdefault(trace_id, set()).add(service)
            if span["name"] == "POST /api/orders":
                begun.add(trace_id)
    assert begun
    through = set().union(*(seen[trace_id] for trace_id in begun))
    assert any({"orders", "tickets", "payments", "expiration"} <= seen[trace_id] for trace_id in begun), through


def test_the_demo_data_exists_and_is_not_created_twice(stack: Stack) -> None:
    tickets = stack.state()["addresses"]["tickets"]
    before = httpx.get(f"{tickets}/api/tickets?limit=100&status=all").json()

    again = stack.run("seed")

    assert again.returncode == 0, again.stdout
    after = httpx.get(f"{tickets}/api/tickets?limit=100&status=all").json()
    assert len(after) == len(before) >= 20


def test_a_second_up_reports_that_the_stack_runs(stack: Stack) -> None:
    second = stack.up()
    assert second.returncode == 1
    assert "already running" in second.stdout


def test_two_stacks_run_side_by_side_and_share_nothing(stack: Stack, tmp_path: Path) -> None:
    other = Stack(tmp_path / "other")
    try:
        started = other.up()
        assert started.returncode == 0, started.stdout
        ours, theirs = stack.state()["addresses"], other.state()["addresses"]
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
        processes, supervisor = other.state()["processes"], other.state()["supervisor_pid"]
    finally:
        stopped = other.run("down")
    assert stopped.returncode == 0, stopped.stdout
    assert not [name for name, pid in processes.items() if is_alive(pid)]
    assert not is_alive(supervisor)


def test_data_survives_down_and_up(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "kept")
    try:
        assert stack.up().returncode == 0
        account = {"email": "stays@example.com", "password": "a long password"}
        assert httpx.post(f"{stack.state()['addresses']['auth']}/api/users/signup", json=account).status_code == 201
        stack.run("down")
        assert stack.run("status").returncode == 3

        assert stack.up().returncode == 0
        answer = httpx.post(f"{stack.state()['addresses']['auth']}/api/users/signin", json=account)
    finally:
        stack.run("down")
    assert answer.status_code == 200


def test_a_process_that_ends_is_reported_and_not_restarted(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "broken")
    try:
        assert stack.up().returncode == 0
        os.kill(stack.state()["processes"]["tickets"], signal.SIGKILL)
        deadline = time.monotonic() + 60
        while "tickets" not in (state := stack.state())["dead"]:
            assert time.monotonic() < deadline, state
        status = stack.run("status")
        printed = (stack.folder / "logs" / "supervisor.log").read_text()
        processes = state["processes"]
    finally:
        stack.run("down")
    assert status.returncode == 1
    assert "ended with status -9" in status.stdout
    assert "tickets ended with status -9" in printed
    assert not [name for name, pid in processes.items() if is_alive(pid)]


def test_all_processes_end_with_a_killed_supervisor(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "orphans")
    try:
        assert stack.up().returncode == 0
        state = stack.state()
        os.kill(state["supervisor_pid"], signal.SIGKILL)
        deadline = time.monotonic() + 60
        while left := [name for name, pid in state["processes"].items() if is_alive(pid)]:
            assert time.monotonic() < deadline, left
            time.sleep(0.05)
    finally:
        stack.run("down")


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
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, start_new_session=True) as up:
        data, state = DataDir(folder), None
        while state is None or "demo data" not in state.message:
            assert up.poll() is None
            state = data.read_state()
        up.terminate()
        printed, _ = up.communicate(timeout=30)
    assert up.returncode == 130
    assert "Stopped before it was ready" in printed
    assert not [name for name, pid in state.processes.items() if is_alive(pid)]


def test_an_address_in_the_environment_replaces_the_stacks_own_server(tmp_path: Path) -> None:
    nats = NatsServer(tmp_path / "nats")
    nats.start()
    try:
        stack = Stack(tmp_path / "stack")
        try:
            started = stack.up(NATS_URL=nats.url)
            assert started.returncode == 0, started.stdout
            assert stack.state()["addresses"]["nats"] == nats.url
            assert "nats-server" not in stack.state()["processes"]
        finally:
            stack.run("down")
        assert nats.pid is not None  # `down` does not stop an external server
    finally:
        nats.stop()


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
