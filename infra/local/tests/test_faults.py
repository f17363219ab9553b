"""Each named fault, turned on and off with the `ticketing fault` command on a stack of real processes."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from ticketing_common.telemetry.dashboard import PANELS
from ticketing_common.topology import PROCESSES
from ticketing_local.faults import FAULTS
from ticketing_testkit.waiting import wait_until

from .running_stack import SALES_WITHOUT_LIMITS, RunningStack, Traders

pytestmark = [pytest.mark.flow, pytest.mark.timeout(600)]

WINDOW_SECONDS = 40
ALERTS = Path(__file__).parents[2] / "k8s" / "components" / "operations" / "alerts.yaml"


class Play(Traders):
    """A seller and a buyer at a running stack in which faults are injected."""

    def __init__(self, stack: RunningStack, http: httpx.Client) -> None:
        super().__init__(http, stack.state.addresses)
        self.stack = stack
        self._http = http

    @contextmanager
    def fault(self, name: str) -> Iterator[None]:
        self.stack.succeed("fault", "on", name)
        try:
            yield
        finally:
            self.stack.succeed("fault", "off")

    def get(self, process: str, path: str) -> httpx.Response:
        """A request to one process, not to the API."""
        return self._http.get(f"{self.stack.state.addresses[process]}{path}")

    def metric(self, service: str, name: str) -> float:
        text = self.get(service, "/metrics").text
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE))


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    # A payment after an outage must complete before its hold expires.
    soon = {"STRIPE_CIRCUIT_SECONDS": "3", "RECONCILE_SECONDS": "1"}
    window = {"RESERVATION_WINDOW_SECONDS": str(WINDOW_SECONDS)}
    stack = RunningStack(tmp_path_factory.mktemp("stack"))
    with stack.running(**window, **soon, **SALES_WITHOUT_LIMITS), httpx.Client(timeout=60) as http:
        yield Play(stack, http)
        stack.succeed("audit")


def test_all_faults_are_listed_with_their_expected_effects(play: Play) -> None:
    listed = play.stack.succeed("fault", "list")
    assert all(name in listed for name in FAULTS)


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
    wait_until(lambda: play.metric("payments", "captured_cents_total") > 0)

    def shown() -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for process in PROCESSES:
            text = play.get(process, "/metrics").text
            for name, labels in re.findall(r"^(\w+)(?:{(.*)})? \S+$", text, re.MULTILINE):
                found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
        return found

    queries = list(asked_for())
    assert len({query for query, _, _ in queries}) > 25

    def missing() -> list[str]:
        found = shown()
        return [query for query, name, labels in queries if name not in found or not labels <= found[name]]

    wait_until(lambda: not missing(), 30)


def test_counters_that_raise_an_alarm_start_at_zero(play: Play) -> None:
    """For Prometheus, a series that appears with 1 has not increased: the first dead letter would raise no alarm."""
    text = play.get("tickets", "/metrics").text
    for series in (
        'dead_letters_total{consumer="tickets-orders"} 0.0',
        'outbox_full_total{collection="tickets"} 0.0',
        'requests_shed_total{reason="loop_lag",service="tickets"} 0.0',
    ):
        assert series in text, series


def test_status_names_the_faults_that_are_on(play: Play) -> None:
    with play.fault("tickets-paused"):
        shown = play.stack.run("status").stdout
    assert "tickets-paused" in shown
    assert "tickets-paused" not in play.stack.run("status").stdout


def test_an_unknown_fault_is_refused_and_changes_nothing(play: Play) -> None:
    unknown = play.stack.run("fault", "on", "rain")
    assert unknown.returncode == 1
    assert "no fault called rain" in unknown.stdout
    assert "No fault is on" in play.stack.run("fault", "off").stdout


def test_a_wiped_redis_loses_no_deadline(play: Play) -> None:
    order = play.order()
    play.stack.succeed("fault", "on", "redis-wiped")
    wait_until(lambda: play.status(order) == "cancelled", WINDOW_SECONDS + 30)


@pytest.mark.parametrize("fault", ["redis-down", "redis-paused"])
def test_without_redis_holds_still_expire(play: Play, fault: str) -> None:
    with play.fault(fault):
        order = play.order()
        wait_until(lambda: play.status(order) == "cancelled", WINDOW_SECONDS + 30)


@pytest.mark.parametrize("fault", ["nats-down", "nats-paused"])
def test_without_nats_requests_succeed_and_events_are_published_afterwards(play: Play, fault: str) -> None:
    with play.fault(fault):
        ticket = play.ticket()  # no request waits for the broker: it returns only after the responses
        assert play.api.call("GET", f"/api/tickets/{ticket}").status_code == 200
        held = play.hold(ticket)
        assert held.status_code == 503, "orders cannot know whether there is such a ticket"
        assert "Retry-After" in held.headers
    wait_until(lambda: play.hold(ticket).status_code in (201, 409))


def test_without_mongodb_the_list_is_served_stale_and_the_process_stays_healthy(play: Play) -> None:
    fresh = play.api.call("GET", "/api/tickets")
    with play.fault("mongo-paused"):
        stale = play.api.call("GET", "/api/tickets")
        held = play.hold("a" * 24)
        health = play.get("orders", "/healthz")
    assert (stale.status_code, stale.json()) == (200, fresh.json())
    assert "Age" in stale.headers
    assert (held.status_code, health.status_code) == (503, 200)
    assert "Retry-After" in held.headers
    wait_until(lambda: "Age" not in play.api.call("GET", "/api/tickets").headers)


def test_while_stripe_fails_calls_stop_and_afterwards_everything_is_paid(play: Play) -> None:
    orders = [play.order() for _ in range(3)]
    with play.fault("stripe-failing"):
        answers = [play.pay(orders[number % 3]) for number in range(12)]
        assert {answer.status_code for answer in answers} == {503}
        assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers)
        assert play.metric("payments", "circuit_state") == 1
        assert play.metric("payments", "calls_refused_total") >= 1
        assert {play.status(order) for order in orders} == {"created"}, "the holds stay"
    wait_until(lambda: {play.status(order) for order in orders} == {"complete"}, WINDOW_SECONDS)


def test_a_payment_that_stripe_reports_as_failed_is_reconciled(play: Play) -> None:
    order = play.order()
    with play.fault("stripe-lying"):
        assert play.pay(order).status_code == 503
        assert play.status(order) == "created"
    # The double ignores idempotency keys, so the reconciler creates a second PaymentIntent; only one is confirmed.
    wait_until(lambda: play.status(order) == "complete", WINDOW_SECONDS)


def test_a_slow_stripe_slows_no_other_request(play: Play) -> None:
    order = play.order()
    with play.fault("stripe-slow"):
        body = {"orderId": order, "paymentMethodId": "pm_card_visa"}
        with pytest.raises(httpx.ReadTimeout):
            play.api.call("POST", "/api/payments", play.buyer, json=body, timeout=httpx.Timeout(60, read=0.5))
        assert play.api.call("GET", "/api/tickets").status_code == 200
        assert play.api.call("GET", f"/api/payments/{'a' * 24}", play.buyer).status_code == 404
    wait_until(lambda: play.status(order) in ("complete", "cancelled"), WINDOW_SECONDS + 60)


@pytest.mark.parametrize("service", ["payments", "expiration", "tickets"])
def test_a_paused_service_delays_no_other_and_drains_its_backlog(play: Play, service: str) -> None:
    ticket = play.ticket()
    wait_until(lambda: play.api.call("GET", "/api/orders", play.buyer).status_code == 200)
    with play.fault(f"{service}-paused"):
        held = play.hold(ticket)
        assert held.status_code == 201
    order = held.json()["id"]
    assert play.pay(order).status_code == 201
    wait_until(lambda: play.status(order) == "complete")
    wait_until(lambda: play.api.call("GET", f"/api/tickets/{ticket}").json()["status"] == "sold")
