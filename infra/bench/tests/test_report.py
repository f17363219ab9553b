import re
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from ticketing_bench.machine import Machine
from ticketing_bench.measurement import Finding
from ticketing_bench.report import Report, figure

MACHINE = Machine(
    processor="a processor",
    cores=2,
    memory_gb=8,
    system="Linux 6",
    python="3.11.7",
    versions={"mongod": "6.0.5"},
    load_before=0.1,
)


FAST = Finding(
    part="relay",
    name="relay",
    unit="events/s",
    rounds=(6_000.0, 7_000.0),
    baseline=(10_000.0, 10_000.0),
    cpu={"mongod": 0.5},
    at_least=0.5,
)
LATE = Finding(part="latency", name="commit to handler, p99", unit="ms", rounds=(120.0, 130.0), below=100)


def report(*findings: Finding) -> Report:
    at = datetime(2026, 11, 23, tzinfo=UTC)
    return Report(name="delivery", title="Event delivery", at=at, quick=True, machine=MACHINE, findings=findings)


@pytest.mark.unit
def test_one_missed_budget_makes_a_missed_run() -> None:
    assert not report(FAST, LATE).kept
    assert report(FAST).kept


@pytest.mark.unit
def test_the_table_has_both_sides_the_ratio_and_the_verdict() -> None:
    printed = StringIO()

    report(FAST, LATE).show(Console(width=200, file=printed))

    text = printed.getvalue()
    assert re.search(r"relay .*6,500 \(6,000-7,000\).*10,000.*0\.65 \(0\.60-0\.70\).*≥ 0.5 ×.*kept", text)
    assert re.search(r"p99 .*125 \(120-130\).*ms.*< 100 .*missed", text)
    assert "mongod 0.50" in text
    assert "mongod 6.0.5" in text


def test_what_is_written_can_be_read_back(tmp_path: Path) -> None:
    written = report(FAST, LATE).write(tmp_path / "bench")

    assert written.name == "delivery.json"
    assert Report.model_validate_json(written.read_text()) == report(FAST, LATE)


@pytest.mark.unit
def test_parts_that_were_not_measured_again_stay_in_the_file(tmp_path: Path) -> None:
    report(FAST, LATE).write(tmp_path)
    written = report(FAST.model_copy(update={"rounds": (2, 2)})).write(tmp_path)

    again = Report.model_validate_json(written.read_text())
    assert {finding.part: finding.rounds for finding in again.findings} == {"latency": (120, 130), "relay": (2, 2)}


@pytest.mark.unit
@pytest.mark.parametrize(("value", "text"), [(12_345.6, "12,346"), (45.67, "45.7"), (1.234, "1.23"), (0, "0.00")])
def test_a_figure_has_as_many_digits_as_mean_something(value: float, text: str) -> None:
    assert figure(value) == text
