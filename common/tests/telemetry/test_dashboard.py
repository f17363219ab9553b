"""The committed dashboard is the generated one, and its panels query existing metrics."""

import json
import re
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, Counter, generate_latest

from ticketing_common.telemetry import dashboard as dashboard_module
from ticketing_common.telemetry import metrics
from ticketing_common.telemetry.dashboard import PANELS, Panel, dashboard
from ticketing_common.telemetry.metrics import init_series

pytestmark = pytest.mark.unit

KEPT = Path(__file__).parents[3] / "infra" / "k8s" / "components" / "operations" / "dashboard.json"


def test_the_committed_dashboard_is_what_the_code_generates() -> None:
    assert json.loads(KEPT.read_text()) == dashboard(), "make docs"


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_every_panel_queries_an_existing_metric(panel: Panel) -> None:
    served = set(re.findall(r"^# TYPE (\w+) \w+$", generate_latest(REGISTRY).decode(), re.MULTILINE))
    asked = re.findall(r"\(([a-z_]+)(?=[{\[)])", re.sub(r"by \(.*?\)", "", panel.query))
    assert asked, panel.query
    for name in asked:
        assert {name, re.sub(r"_(bucket|count|sum)$", "", name)} & served, name


def test_a_label_that_a_metric_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="colour"):
        dashboard_module._rate(metrics.CONSUMED, "colour")


def test_an_initialised_series_exists_before_the_first_count() -> None:
    """Prometheus sees no increase in a series that starts at 1: the first dead letter would raise no alert."""
    registry = CollectorRegistry()
    counter = Counter("things", "For this test", ["kind"], registry=registry)
    init_series(counter, ("one",), ("other",))
    assert [registry.get_sample_value("things_total", {"kind": kind}) for kind in ("one", "other")] == [0, 0]
