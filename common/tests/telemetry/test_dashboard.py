"""The dashboard that is kept is the one that the code writes, and its panels ask for metrics that are there."""

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


def test_the_kept_file_is_what_the_code_writes() -> None:
    assert json.loads(KEPT.read_text()) == dashboard(), "make docs"


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_a_panel_asks_for_a_metric_that_is_served(panel: Panel) -> None:
    served = set(re.findall(r"^# TYPE (\w+) \w+$", generate_latest(REGISTRY).decode(), re.MULTILINE))
    asked = re.findall(r"\(([a-z_]+)(?=[{\[)])", re.sub(r"by \(.*?\)", "", panel.query))
    assert asked, panel.query
    for name in asked:
        assert {name, re.sub(r"_(bucket|count|sum)$", "", name)} & served, name


def test_a_label_that_a_metric_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="colour"):
        dashboard_module._rate(metrics.CONSUMED, "colour")


def test_a_series_that_was_begun_is_there_before_anything_is_counted() -> None:
    """Prometheus sees no increase in a series that appears with 1: the first dead letter would raise no alarm."""
    registry = CollectorRegistry()
    counter = Counter("things", "For this test", ["kind"], registry=registry)
    init_series(counter, ("one",), ("other",))
    assert [registry.get_sample_value("things_total", {"kind": kind}) for kind in ("one", "other")] == [0, 0]
