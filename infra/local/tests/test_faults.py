"""Each named fault, turned on and off with the `ticketing fault` command on a stack of real processes."""

import os
import re
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx
import pytest
import yaml

from ticketing_common.telemetry.dashboard import PANELS
from ticketing_common.topology import PROCESSES
from ticketing_local.faults import FAULTS
from ticketing_ops.data_dir import DataDir

pytestmark = [pytest.mark.flow, pytest.mark.timeout(600)]

TICKETING = Path(sysconfig.get_path("scripts")) / "ticketing"
CARD = "pm_card_visa"
WINDOW_SECONDS = 40
ALERTS = Path(__file__).parents[2] / "k8s" / "components" / "operations" / "alerts.yaml"


class Play:
    """A running stack with a seller and a buyer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.http = httpx.Client(timeout=60)
        self.addresses: dict[str, str] = {}
        self.seller: dict[str, str] = {}
        self.buyer: dict[str, str] = {}

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [TICKETING, *arguments, "--data-dir", str(self.folder)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "COLUMNS": "160"},
        )

    @contextmanager
    def fault(self, name: str) -> Iterator[None]:
        turned = self.command("fault", "on", name)
        assert turned.returncode == 0, turned.stdout
        try:
            yield
        finally:
            turned = self.command("fault", "off")
            assert turned.returncode == 0, turned.stdout

    def sign_up(self) -> dict[str, str]:
        person = {"email": f"{token_hex(6)}@example.com", "password": token_hex(8)}
        assert self.call("POST", "auth", "users/signup", {}, person).status_code == 201
        form = {"username": person["email"], "password": person["password"]}
        token = self.http.post(f"{self.addresses['auth']}/api/users/token", data=form).json()["access_token"]
        return {"Authorization": f"Bearer {token}"}

    def call(self, method: str, service: str, path: str, who: dict[str, str], body: Any = None) -> httpx.Response:
        return self.http.request(method, f"{self.addresses[service]}/api/{path}", headers=who, json=body)

    def ticket(self) -> str:
        made = self.call("POST", "tickets", "tickets", self.seller, {"title": "Seat", "price": 25.5})
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    def order(self) -> str:
        held = self.call("POST", "orders", "orders", self.buyer, {"ticketId": self.ticket()})
        assert held.status_code == 201, held.text
        return str(held.json()["id"])

    def pay(self, order: str) -> httpx.Response:
        body = {"orderId": order, "paymentMethodId": CARD}
        return self.call("POST", "payments", "payments", self.buyer, body)

    def status(self, order: str) -> str:
        return str(self.call("GET", "orders", f"orders/{order}", self.buyer).json()["status"])

    def metric(self, service: str, name: str) -> float:
        text = self.http.get(f"{self.addresses[service]}/metrics").text
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE))


def eventually(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    play = Play(tmp_path_factory.mktemp("stack"))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RESERVATION_WINDOW_SECONDS", str(WINDOW_SECONDS))
        # A payment after an outage must complete before its hold expires.
        environment.setenv("STRIPE_CIRCUIT_SECONDS", "3")
        environment.setenv("RECONCILE_SECONDS", "1")
        for what in ("SIGNUP", "SIGNIN", "HOLDS", "LISTINGS", "PAYMENTS"):
            environment.setenv(f"RATE_LIMIT_{what}", "off")
        started = play.command("up", "--detach", "--no-client")
        try:
            assert started.returncode == 0, started.stdout + started.stderr
            state = DataDir(play.folder).read_state()
            assert state is not None
            play.addresses = state.addresses
            play.seller, play.buyer = play.sign_up(), play.sign_up()
            yield play
            audited = play.command("audit")
            assert audited.returncode == 0, audited.stdout
        finally:
            play.http.close()
            play.command("down")


def test_all_faults_are_listed_with_their_expected_effects(play: Play) -> None:
    listed = play.command("fault", "list")
    assert listed.returncode == 0
    assert all(name in listed.stdout for name in FAULTS)


def asked_for() -> Iterator[tuple[str, str, set[str]]]:
    """Each query of the dashboard and the alarms, with each metric it uses and the labels that it needs."""
    rules = yaml.safe_load(ALERTS.read_text())["groups"]
    queries = [panel.query for panel in PANELS] + [rule["expr"] for group in rules for rule in group["rules"]]
    for query in queries:
        labels = {name.strip() for names in re.findall(r"by \(([^)]*)\)", query) for name in names.split(",")}
        labels |= set(re.findall(r"(\w+)[!=]~?\"", query))
        for name in set(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b(?=\s*[{\[)]|\)? >)", query)) - {"histogram_quantile"}:
            if not name.startswith(("kube_", "invariant_")):  # metrics of the cluster and of the auditor
                yield query, name, labels


def test_a_running_stack_has_every_metric_of_the_dashboard_and_the_alarms(play: Play) -> None:
    order = play.order()
    assert play.pay(order).status_code == 201
    eventually(lambda: play.metric("payments", "captured_cents_total") > 0)

    def shown() -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for process in PROCESSES:
            text = play.http.get(f"{play.addresses[process]}/metrics").text
            for name, labels in re.findall(r"^(\w+)(?:{(.*)})? \S+$", text, re.MULTILINE):
                found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
        return found

    queries = list(asked_for())
    assert len({query for query, _, _ in queries}) > 25

    def missing() -> list[str]:
        found = shown()
        return [query for query, name, labels in queries if name not in found or not labels <= found[name]]

    eventually(lambda: not missing(), 30)


def test_counters_that_raise_an_alarm_start_at_zero(play: Play) -> None:
    """For Prometheus, a series that appears with 1 has not increased: the first dead letter would raise no alarm."""
    text = play.http.get(f"{play.addresses['tickets']}/metrics").text
    for series in (
        'dead_letters_total{consumer="tickets-orders"} 0.0',
        'outbox_full_total{collection="tickets"} 0.0',
        'requests_shed_total{reason="loop_lag",service="tickets"} 0.0',
    ):
        assert series in text, series


def test_status_names_the_faults_that_are_on(play: Play) -> None:
    with play.fault("tickets-paused"):
        shown = play.command("status").stdout
    assert "tickets-paused" in shown
    assert "tickets-paused" not in play.command("status").stdout


def test_an_unknown_fault_is_refused_and_changes_nothing(play: Play) -> None:
    unknown = play.command("fault", "on", "rain")
    assert unknown.returncode == 1
    assert "no fault called rain" in unknown.stdout
    assert "No fault is on" in play.command("fault", "off").stdout


def test_a_wiped_redis_loses_no_deadline(play: Play) -> None:
    order = play.order()
    assert play.command("fault", "on", "redis-wiped").returncode == 0
    eventually(lambda: play.status(order) == "cancelled", WINDOW_SECONDS + 30)


@pytest.mark.parametrize("fault", ["redis-down", "redis-paused"])
def test_without_redis_holds_still_expire(play: Play, fault: str) -> None:
    with play.fault(fault):
        order = play.order()
        eventually(lambda: play.status(order) == "cancelled", WINDOW_SECONDS + 30)


@pytest.mark.parametrize("fault", ["nats-down", "nats-paused"])
def test_without_nats_requests_succeed_and_events_are_published_afterwards(play: Play, fault: str) -> None:
    with play.fault(fault):
        ticket = play.ticket()  # no request waits for the broker: it returns only after the responses
        assert play.call("GET", "tickets", f"tickets/{ticket}", {}).status_code == 200
        held = play.call("POST", "orders", "orders", play.buyer, {"ticketId": ticket})
        assert held.status_code == 503, "orders cannot know whether there is such a ticket"
        assert "Retry-After" in held.headers
    eventually(
        lambda: play.call("POST", "orders", "orders", play.buyer, {"ticketId": ticket}).status_code in (201, 409)
    )


def test_without_mongodb_the_list_is_served_stale_and_the_process_stays_healthy(play: Play) -> None:
    fresh = play.call("GET", "tickets", "tickets", {})
    with play.fault("mongo-paused"):
        stale = play.call("GET", "tickets", "tickets", {})
        held = play.call("POST", "orders", "orders", play.buyer, {"ticketId": "a" * 24})
        health = play.http.get(f"{play.addresses['orders']}/healthz")
    assert (stale.status_code, stale.json()) == (200, fresh.json())
    assert "Age" in stale.headers
    assert (held.status_code, health.status_code) == (503, 200)
    assert "Retry-After" in held.headers
    eventually(lambda: "Age" not in play.call("GET", "tickets", "tickets", {}).headers)


def test_while_stripe_fails_calls_stop_and_afterwards_everything_is_paid(play: Play) -> None:
    orders = [play.order() for _ in range(3)]
    with play.fault("stripe-failing"):
        answers = [play.pay(orders[number % 3]) for number in range(12)]
        assert {answer.status_code for answer in answers} == {503}
        assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers)
        assert play.metric("payments", "circuit_state") == 1
        assert play.metric("payments", "calls_refused_total") >= 1
        assert {play.status(order) for order in orders} == {"created"}, "the holds stay"
    eventually(lambda: {play.status(order) for order in orders} == {"complete"}, WINDOW_SECONDS)


def test_a_payment_that_stripe_reports_as_failed_is_reconciled(play: Play) -> None:
    order = play.order()
    with play.fault("stripe-lying"):
        assert play.pay(order).status_code == 503
        assert play.status(order) == "created"
    # The double ignores idempotency keys, so the reconciler creates a second PaymentIntent; only one is confirmed.
    eventually(lambda: play.status(order) == "complete", WINDOW_SECONDS)


def test_a_slow_stripe_slows_no_other_request(play: Play) -> None:
    order = play.order()
    with play.fault("stripe-slow"):
        body = {"orderId": order, "paymentMethodId": CARD}
        address = f"{play.addresses['payments']}/api/payments"
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(address, json=body, headers=play.buyer, timeout=httpx.Timeout(60, read=0.5))
        assert play.call("GET", "tickets", "tickets", {}).status_code == 200
        assert play.call("GET", "payments", f"payments/{'a' * 24}", play.buyer).status_code == 404
    eventually(lambda: play.status(order) in ("complete", "cancelled"), WINDOW_SECONDS + 60)


@pytest.mark.parametrize("service", ["payments", "expiration", "tickets"])
def test_a_paused_service_delays_no_other_and_drains_its_backlog(play: Play, service: str) -> None:
    ticket = play.ticket()
    eventually(lambda: play.call("GET", "orders", "orders", play.buyer).status_code == 200)
    with play.fault(f"{service}-paused"):
        held = play.call("POST", "orders", "orders", play.buyer, {"ticketId": ticket})
        assert held.status_code == 201
    order = held.json()["id"]
    assert play.pay(order).status_code == 201
    eventually(lambda: play.status(order) == "complete")
    eventually(lambda: play.call("GET", "tickets", f"tickets/{ticket}", {}).json()["status"] == "sold")
