"""`make cluster-check`, with a program in place of kubectl and a small server in place of the cluster."""

import json
import os
import stat
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cluster_check
from cluster_check import CheckError, Kubectl

KUBECTL = """#!{python}
import json, os, signal, sys
folder = {folder!r}
words = sys.argv[1:]
state = json.load(open(folder + "/state.json"))
with open(folder + "/calls", "a") as calls:
    calls.write(" ".join(words) + "\\n")
def save():
    # Other calls read it at the same time.
    with open(folder + "/state.new", "w") as file:
        json.dump(state, file)
    os.replace(folder + "/state.new", folder + "/state.json")
if "port-forward" in words:
    print("Forwarding from 127.0.0.1:%d -> 10080" % state["port"], flush=True)
    signal.pause()
if "delete" in words:
    state["away"] = True
    state["uid"] += 1
    save()
if words[4:6] == ["get", "pod"]:
    if state["away"] and not os.path.exists(folder + "/refused"):
        sys.exit("no such pod")
    state["away"] = False
    save()
    print(state["uid"], "True", end="")
if words[5:6] == ["deployment"]:
    print("deployment.apps/orders")
if words[5:6] == ["statefulset"]:
    print("statefulset.apps/nats")
if words[5:6] == ["cronjob"]:
    print("\\n".join(state["cronjobs"]))
if "wait" in words and state["audit"]:
    sys.exit("timed out waiting for the condition")
if "logs" in words:
    print(state["audit"])
"""


class Cluster:
    """What the program in place of kubectl says, and the server that it forwards to."""

    def __init__(self, folder: Path, server: ThreadingHTTPServer) -> None:
        self.folder = folder
        self.refused = folder / "refused"
        self.set(port=server.server_port, uid=1, away=False, cronjobs=["cronjob.batch/audit"], audit="")

    def set(self, **changes: object) -> None:
        file = self.folder / "state.json"
        state = json.loads(file.read_text()) if file.exists() else {}
        file.write_text(json.dumps(state | changes))

    @property
    def away(self) -> bool:
        return json.loads((self.folder / "state.json").read_text())["away"] is True

    @property
    def calls(self) -> str:
        return (self.folder / "calls").read_text()


@pytest.fixture
def failing() -> threading.Event:
    """While it is set, the server answers 503."""
    return threading.Event()


@pytest.fixture
def cluster(tmp_path: Path, failing: threading.Event, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    class Product(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = json.dumps({"id": "a" * 24, "access_token": "token"}).encode()
            refused = failing.is_set() or made.away
            self.send_response(503 if refused else 201 if self.command == "POST" else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            if refused:
                made.refused.touch()

        do_GET = do_POST = do_DELETE = answer  # noqa: N815 (the names are the library's)

        def log_message(self, *arguments: object) -> None:
            """Keep the test's output short."""

    program = tmp_path / "kubectl"
    program.write_text(KUBECTL.format(python=sys.executable, folder=str(tmp_path)))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(cluster_check, "SETTLE_SECONDS", 0.3)
    monkeypatch.setattr(cluster_check, "PAUSE_SECONDS", 0.01)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Product)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made = Cluster(tmp_path, server)
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def checks(cluster: Cluster) -> Iterator[cluster_check.Check]:
    kubectl = Kubectl("test")
    with kubectl.gateway() as address:
        yield cluster_check.Check(kubectl, address)


def test_a_restart_without_a_failed_request_passes(checks: cluster_check.Check, cluster: Cluster) -> None:
    checks.rolling_restart()
    ((_, passed, result),) = checks.rows
    assert passed
    assert "0 of" in result
    assert "--context test -n ticketing rollout restart deployment.apps/orders" in cluster.calls


def test_a_request_that_fails_during_a_restart_fails_the_check(
    checks: cluster_check.Check, cluster: Cluster, failing: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Kubectl) -> None:
        failing.set()
        while not cluster.refused.exists():
            time.sleep(0.01)

    monkeypatch.setattr(Kubectl, "wait_until_ready", fail)
    checks.rolling_restart()
    ((_, passed, result),) = checks.rows
    assert not passed
    assert "503" in result


def test_a_killed_pod_is_waited_for_and_its_failed_requests_are_counted(
    checks: cluster_check.Check, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_check, "LATE_SECONDS", 600.0)  # a response may be late on a busy machine
    checks.kill("orders-mongodb-0")
    ((name, passed, result),) = checks.rows
    assert (name, passed) == ("kill orders-mongodb-0", True)
    assert "ready after" in result
    assert " 0 of" not in result, "the server answered 503 while the pod was away"
    assert "delete pod orders-mongodb-0 --grace-period=0 --force" in cluster.calls


def test_requests_that_fail_for_longer_than_allowed_fail_the_check(
    checks: cluster_check.Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_check, "LATE_SECONDS", -600.0)  # they had to end before the pod was ready
    checks.kill("orders-mongodb-0")
    assert not checks.rows[0][1]


@pytest.mark.parametrize(("finding", "expected"), [("", True), ("violated: a seat is held twice", False)])
def test_the_audit_decides(checks: cluster_check.Check, cluster: Cluster, finding: str, expected: bool) -> None:
    cluster.set(audit=finding)
    checks.audit()
    ((_, passed, result),) = checks.rows
    assert passed is expected
    assert finding in result


def test_a_cluster_without_the_audit_does_not_pass(checks: cluster_check.Check, cluster: Cluster) -> None:
    cluster.set(cronjobs=[])
    checks.audit()
    assert not checks.rows[0][1]


def test_an_error_of_kubectl_ends_the_check_with_its_words(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (cluster.folder / "kubectl").write_text(f"#!{sys.executable}\nimport sys\nsys.exit('no such context')\n")
    with pytest.raises(SystemExit, match="no such context"):
        cluster_check.main(["--context", "test"])
    with pytest.raises(CheckError), Kubectl("test").gateway():
        pass


def test_the_context_has_no_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cluster_check.main([])
    assert "--context" in capsys.readouterr().err
