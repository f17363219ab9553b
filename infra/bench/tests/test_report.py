import re
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from ticketing_bench.machine import Machine
from ticketing_bench.measurement import Budget, Measurement, Side
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


@pytest.fixture
def report() -> Report:
    fast = Measurement(
        name="relay",
        question="How fast?",
        unit="events/s",
        subject=Side.of("product", [6_000.0, 7_000.0], [{"mongod": 0.5}]),
        reference=Side.of("raw", [10_000.0, 10_000.0]),
        budget=Budget(ratio_at_least=0.5),
    )
    late = Measurement(
        name="commit to handler, p99",
        question="How late?",
        unit="ms",
        subject=Side.of("product", [120.0, 130.0]),
        reference=Side.of("raw", [1.0, 1.0]),
        budget=Budget(value_below=100),
    )
    at = datetime(2026, 11, 23, tzinfo=UTC)
    return Report(name="backbone", title="The backbone", at=at, quick=True, machine=MACHINE, measurements=(fast, late))


@pytest.mark.unit
def test_one_missed_budget_makes_a_missed_run(report: Report) -> None:
    assert not report.kept
    assert report.model_copy(update={"measurements": report.measurements[:1]}).kept


@pytest.mark.unit
def test_the_summary_has_both_sides_the_ratio_and_the_verdict(report: Report) -> None:
    printed = StringIO()
    console = Console(width=200, file=printed)

    report.show(console)

    text = printed.getvalue()
    assert re.search(r"relay .*6,500 \(6,000-7,000\).*10,000.*0\.65 \(0\.60-0\.70\).*≥ 50%.*kept", text)
    assert re.search(r"p99 .*125 \(120-130\).*< 100 ms.*missed", text)
    assert "mongod 0.50" in text
    assert "mongod 6.0.5" in text


def test_what_is_written_can_be_read_back(report: Report, tmp_path: Path) -> None:
    written = report.write(tmp_path / "bench")

    assert [path.name for path in written] == ["backbone.json"]
    assert Report.model_validate_json(written[0].read_text()) == report


@pytest.mark.unit
@pytest.mark.parametrize(("value", "text"), [(12_345.6, "12,346"), (45.67, "45.7"), (1.234, "1.23"), (0, "0.00")])
def test_a_figure_has_as_many_digits_as_mean_something(value: float, text: str) -> None:
    assert figure(value) == text
