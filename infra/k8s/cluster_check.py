"""Rehearses on a development cluster what operation must survive, and prints a table; exit 1 if a step fails.

    python infra/k8s/cluster_check.py --context kind-kind

Waits until everything is ready, plays `ticketing demo` through the gateway, restarts every Deployment under load, kills
one pod each of NATS, of the database of orders and of Redis under load, and runs the audit. It restarts and kills pods,
so the context has no default. `--apply` applies the dev overlay first; the cluster must have its images.
"""

import argparse
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

import httpx
from rich.table import Table

from ticketing_ops.api import Api
from ticketing_ops.console import console
from ticketing_ops.demo import ScenarioError, play

NAMESPACE = "ticketing"
GATEWAY = ("-n", "envoy-gateway-system", "service/ticketing-gateway")
OVERLAY = Path(__file__).resolve().parent.parent / "k8s-dev"
WINDOW_SECONDS = 60
"""How long a hold lasts in the dev overlay."""
READY_SECONDS = 600
SETTLE_SECONDS = 5.0
"""The load goes on for this long after a step, so that late failures count."""
LATE_SECONDS = SETTLE_SECONDS / 2
"""For this long after a killed pod is ready again requests may still fail."""
PAUSE_SECONDS = 0.1
KILLED = ("nats-0", "orders-mongodb-0", "redis-0")


class CheckError(Exception):
    """A command of kubectl failed, or a step did not end as expected."""


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl on one context and the product's namespace."""

    context: str

    def command(self, *arguments: str) -> list[str]:
        """The command line."""
        return ["kubectl", "--context", self.context, *arguments]

    def run(self, *arguments: str, seconds: float = 60) -> str:
        """Run it and return its output; raises `CheckError` with what it printed."""
        try:
            done = subprocess.run(  # noqa: S603 (the program is fixed)
                self.command("-n", NAMESPACE, *arguments), capture_output=True, text=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise CheckError(f"kubectl {' '.join(arguments)} did not end in {seconds:.0f} s") from error
        if done.returncode:
            raise CheckError(f"kubectl {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def names(self, kind: str) -> list[str]:
        """The objects of this kind, as `kind/name`."""
        return self.run("get", kind, "-o", "name").split()

    def wait_until_ready(self) -> None:
        """Return when all Deployments and StatefulSets have their replicas."""
        for name in [*self.names("statefulset"), *self.names("deployment")]:
            self.run("rollout", "status", name, f"--timeout={READY_SECONDS}s", seconds=READY_SECONDS + 10)

    @contextmanager
    def gateway(self) -> Iterator[str]:
        """The gateway's address on this machine, where nothing in the cluster hands out load-balancer addresses."""
        forward = self.command("port-forward", *GATEWAY, ":80")
        with subprocess.Popen(  # noqa: S603 (the program is fixed)
            forward, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                output = process.stdout
                assert output is not None  # noqa: S101 (for mypy: it is a pipe)
                first = output.readline()
                found = re.search(r"127\.0\.0\.1:(\d+)", first)
                if found is None:
                    raise CheckError(f"the gateway cannot be reached: {first.strip()}")
                # kubectl prints a line per connection, and would block on a full pipe.
                reader = threading.Thread(target=output.read, daemon=True)
                reader.start()
                try:
                    yield f"http://127.0.0.1:{found[1]}"
                finally:
                    process.terminate()
                    reader.join()  # before the pipe is closed
            finally:
                process.terminate()


@dataclass(slots=True)
class Load:
    """A seller and a buyer who read and write through the gateway, until the block ends."""

    api: Api
    token: str
    requests: int = 0
    failures: list[str] = field(default_factory=list)
    failed_at: list[float] = field(default_factory=list)

    def _send(self, method: str, path: str, **arguments: object) -> httpx.Response | None:
        self.requests += 1
        try:
            answer = self.api.call(method, path, self.token, **arguments)
        except httpx.HTTPError as error:
            outcome = repr(error)
        else:
            if answer.status_code < 500:
                return answer
            outcome = str(answer.status_code)
        self.failures.append(f"{method} {path.partition('?')[0]}: {outcome}")
        self.failed_at.append(time.monotonic())
        return None

    def _round(self) -> None:
        for path in ("/api/tickets?limit=5", "/api/orders", "/api/users/currentuser"):
            self._send("GET", path)
        made = self._send(
            "POST",
            "/api/tickets",
            json={"title": "Cluster check", "price": 20},
            headers={"Idempotency-Key": token_hex(12)},
        )
        if made is not None and made.status_code == httpx.codes.CREATED:
            self._send("GET", f"/api/tickets/{made.json()['id']}")
            self._send("DELETE", f"/api/tickets/{made.json()['id']}")

    @contextmanager
    def running(self) -> Iterator["Load"]:
        """Send requests during this block, and for a few seconds after it."""
        stop = threading.Event()

        def work() -> None:
            while not stop.wait(PAUSE_SECONDS):
                self._round()

        worker = threading.Thread(target=work, daemon=True)
        worker.start()
        try:
            yield self
            stop.wait(SETTLE_SECONDS)
        finally:
            stop.set()
            worker.join(60)


@dataclass(slots=True)
class Check:
    """The steps, and what each one showed."""

    kubectl: Kubectl
    address: str
    rows: list[tuple[str, bool, str]] = field(default_factory=list)

    def step(self, name: str, passed: bool, result: str) -> None:
        """Record and print one result."""
        self.rows.append((name, passed, result))
        console.print(f"{'[green]✓[/]' if passed else '[red]✗[/]'} {name}: {result}", soft_wrap=True)

    def demo(self) -> None:
        """Play the demo through the gateway."""
        try:
            steps = play({"client": self.address}, WINDOW_SECONDS)
        except (ScenarioError, httpx.HTTPError) as error:
            self.step("demo", False, str(error))
        else:
            self.step("demo", True, f"{steps} steps")

    def _load(self) -> Load:
        # A connection each: one that is kept open would hide that a new pod refuses connections.
        limits = httpx.Limits(max_keepalive_connections=0)
        api = Api(httpx.Client(timeout=30, limits=limits), {"client": self.address})
        return Load(api, api.account(f"check-{token_hex(4)}@example.com", token_hex(8)))

    def rolling_restart(self) -> None:
        """Restart every Deployment at once: no request may fail."""
        began = time.monotonic()
        with self._load().running() as load:
            self.kubectl.run("rollout", "restart", *self.kubectl.names("deployment"))
            self.kubectl.wait_until_ready()
            seconds = time.monotonic() - began
        kinds = ", ".join(sorted(set(load.failures))[:5])
        self.step(
            "rolling restart of all Deployments",
            not load.failures,
            f"{seconds:.0f} s, {len(load.failures)} of {load.requests} requests failed {kinds}".rstrip(),
        )

    def kill(self, pod: str) -> None:
        """Kill a pod without grace, and measure until it is ready again and until the last failed request."""
        with self._load().running() as load:
            before = self.kubectl.run("get", "pod", pod, "-o", "jsonpath={.metadata.uid}")
            began = time.monotonic()
            self.kubectl.run("delete", "pod", pod, "--grace-period=0", "--force", "--wait=false")
            self._wait_for_successor(pod, before)
            ready = time.monotonic() - began
        failing = max(load.failed_at, default=began) - began
        self.step(
            f"kill {pod}",
            failing <= ready + LATE_SECONDS,
            f"ready after {ready:.0f} s, {len(load.failures)} of {load.requests} requests failed in {failing:.0f} s",
        )

    def _wait_for_successor(self, pod: str, before: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        path = 'jsonpath={.metadata.uid} {.status.conditions[?(@.type=="Ready")].status}'
        while time.monotonic() < deadline:
            try:
                uid, _, ready = self.kubectl.run("get", "pod", pod, "-o", path).strip().partition(" ")
            except CheckError:  # the old pod is gone and the new one not there yet
                uid, ready = before, ""
            if uid != before and ready == "True":
                return
            time.sleep(0.5)
        raise CheckError(f"{pod} is not ready after {READY_SECONDS} s")

    def audit(self) -> None:
        """Run the audit's CronJob once. The dev overlay has it only with the component `operations`."""
        if "cronjob.batch/audit" not in self.kubectl.names("cronjob"):
            self.step("audit", False, "there is no CronJob `audit`: add the component `operations`")
            return
        job = f"audit-check-{token_hex(3)}"
        self.kubectl.run("create", "job", job, "--from=cronjob/audit")
        try:
            self.kubectl.run("wait", f"job/{job}", "--for=condition=complete", "--timeout=120s", seconds=130)
        except CheckError as error:
            self.step("audit", False, f"{error}; its log ends: {self._end_of_log(job)}")
        else:
            self.step("audit", True, "every invariant holds")

    def _end_of_log(self, job: str) -> str:
        # `kubectl wait` knows only that the job did not complete, also when it failed long ago.
        try:
            return self.kubectl.run("logs", f"job/{job}", "--tail=20").strip()
        except CheckError as error:
            return str(error)

    def table(self) -> Table:
        """All results."""
        table = Table("step", "", "result")
        for name, passed, result in self.rows:
            table.add_row(name, "[green]passed[/]" if passed else "[red]failed[/]", result)
        return table


def check(kubectl: Kubectl) -> bool:
    """Run all steps. Returns whether all passed; raises `CheckError` when one cannot be run."""
    began = time.monotonic()
    kubectl.wait_until_ready()
    with kubectl.gateway() as address:
        checks = Check(kubectl, address)
        checks.step("everything ready", True, f"{time.monotonic() - began:.0f} s")
        checks.demo()
        checks.rolling_restart()
        for pod in KILLED:
            checks.kill(pod)
        checks.audit()
    console.print(checks.table())
    return all(passed for _, passed, _ in checks.rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--context", required=True, help="the context of kubectl; its pods are restarted and killed")
    parser.add_argument("--apply", action="store_true", help="apply infra/k8s-dev first")
    given = parser.parse_args(arguments)
    kubectl = Kubectl(given.context)
    try:
        if given.apply:
            kubectl.run("apply", "-k", str(OVERLAY), seconds=300)
        passed = check(kubectl)
    except CheckError as error:
        sys.exit(f"cluster-check: {error}")
    if not passed:
        sys.exit(1)


if __name__ == "__main__":
    main()
