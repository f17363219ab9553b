"""The Grafana dashboard, generated from the metrics, so that every panel's metric exists.

python -m ticketing_common.telemetry.dashboard FILE
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from prometheus_client import Counter, Gauge, Histogram

from . import metrics

WIDTH: Final = 8
HEIGHT: Final = 8
PER_ROW: Final = 3
DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}

Metric = Counter | Gauge | Histogram


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel; `unit` is Grafana's name of the unit."""

    title: str
    query: str
    unit: str = "short"


def _labels(metric: Metric, *names: str) -> str:
    """A `by` clause; raises ValueError for a label that the metric does not have."""
    unknown = set(names) - {*metric._labelnames, "le"}
    if unknown:
        raise ValueError(f"{metric._name} has no label {sorted(unknown)[0]}")
    return f"by ({', '.join(names)}) " if names else ""


def _rate(metric: Counter, *by: str, over: str = "1m") -> str:
    return f"sum {_labels(metric, *by)}(rate({metric._name}_total[{over}]))"


def _increase(metric: Counter, *by: str, over: str = "1h") -> str:
    return f"sum {_labels(metric, *by)}(increase({metric._name}_total[{over}]))"


def _now(metric: Gauge, how: str, *by: str) -> str:
    return f"{how} {_labels(metric, *by)}({metric._name})"


def _requests(*by: str, of: str = "", over: str = "5m") -> str:
    http = metrics.HTTP_SECONDS
    return f"sum {_labels(http, *by)}(rate({http._name}_count{of}[{over}]))"


def _slowest(metric: Histogram, share: float, *by: str, of: str = "") -> str:
    buckets = f"rate({metric._name}_bucket{of}[5m])"
    return f"histogram_quantile({share}, sum {_labels(metric, *by, 'le')}({buckets}))"


PANELS: Final = (
    # Requests
    Panel("Requests per second", _requests("service", over="1m"), "reqps"),
    Panel(
        "Errors (5xx share)", _requests("service", of='{status=~"5.."}') + " / " + _requests("service"), "percentunit"
    ),
    Panel("p99 latency", _slowest(metrics.HTTP_SECONDS, 0.99, "service", of='{route!~".*/stream"}'), "s"),
    # Event delivery
    Panel("Oldest unpublished event", _now(metrics.OUTBOX_OLDEST, "max", "service"), "s"),
    Panel("Unpublished events", _now(metrics.OUTBOX_PENDING, "sum", "service")),
    Panel("Published per second", _rate(metrics.RELAY_PUBLISHED, "service", "path")),
    Panel("Consumer lag", _now(metrics.CONSUMER_LAG, "max", "consumer")),
    Panel("Consumed per second, by outcome", _rate(metrics.CONSUMED, "consumer", "outcome")),
    Panel("p99 of handling an event", _slowest(metrics.EVENT_SECONDS, 0.99, "consumer"), "s"),
    Panel("Dead letters", _increase(metrics.DEAD_LETTERS, "consumer")),
    # Protection
    Panel("p99 of calls to others, by their end", _slowest(metrics.CALL_SECONDS, 0.99, "call", "outcome"), "s"),
    Panel("Circuits (1 is open)", _now(metrics.CIRCUIT_STATE, "max", "circuit")),
    Panel("Calls refused per second", _rate(metrics.CALLS_REFUSED, "call", "reason")),
    Panel("Calls repeated per second", _rate(metrics.CALLS_REPEATED, "call")),
    Panel("Requests in flight", _now(metrics.REQUESTS_IN_FLIGHT, "sum", "service")),
    Panel("Requests shed per second", _rate(metrics.REQUESTS_SHED, "service", "reason")),
    Panel("Event loop lag", _now(metrics.EVENT_LOOP_LAG, "max", "service"), "s"),
    # Security
    Panel("Sign-ins, refusals and reached limits, an hour", _increase(metrics.SECURITY_EVENTS, "event")),
    # Business
    Panel("Holds an hour", _increase(metrics.HOLDS_PLACED)),
    Panel("Holds refused because the ticket was held, an hour", _increase(metrics.HOLDS_LOST)),
    Panel("Orders paid, an hour", _increase(metrics.ORDERS_COMPLETED)),
    Panel("Orders ended without a ticket, an hour", _increase(metrics.ORDERS_CANCELLED, "reason")),
    Panel("Passes scanned, an hour", _increase(metrics.CHECKINS, "outcome")),
    Panel("Money captured, an hour (cents)", _increase(metrics.CAPTURED_CENTS, "currency")),
    Panel("Mails, an hour", _increase(metrics.MAILS, "kind", "outcome")),
    Panel("Longest overdue mail", _now(metrics.MAILS_OLDEST, "max"), "s"),
    Panel("Answers from memory, an hour", _increase(metrics.STALE_ANSWERS, "service")),
)


def dashboard() -> dict[str, Any]:
    """The dashboard as JSON for Grafana's import."""
    return {
        "uid": "ticketing",
        "title": "Ticketing",
        "timezone": "utc",
        "refresh": "10s",
        "schemaVersion": 41,
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]},
        "panels": [_panel(number, panel) for number, panel in enumerate(PANELS)],
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(number, PER_ROW)
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "datasource": DATASOURCE,
        "gridPos": {"h": HEIGHT, "w": WIDTH, "x": column * WIDTH, "y": row * HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "targets": [{"refId": "A", "datasource": DATASOURCE, "expr": panel.query}],
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(dashboard(), indent=2) + "\n")
