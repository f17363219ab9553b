import re
import sys
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from ticketing_bench.machine import Machine
from ticketing_bench.measurement import Budget, Measurement, Side
from ticketing_bench.report import Report, figure, paste

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


def test_what_is_written_can_be_read_back_and_stands_alone(report: Report, tmp_path: Path) -> None:
    written = report.write(tmp_path / "bench")

    assert [path.name for path in written] == ["backbone.json", "backbone.svg", "backbone-ms.svg"]
    assert Report.model_validate_json(written[0].read_text()) == report
    for chart in written[1:]:
        svg = chart.read_text()
        assert "<script" not in svg
        # The names of the two XML vocabularies are no addresses: nobody asks there.
        named = set(re.findall(r"[a-z]+://[^\"'\s<)]*", svg)) - {
            "http://www.w3.org/2000/svg",
            "http://www.w3.org/1999/xlink",
        }
        assert named == set()


def test_drawing_leaves_python_as_it_was(report: Report, tmp_path: Path) -> None:
    finders = list(sys.meta_path)

    report.write(tmp_path)

    assert sys.meta_path == finders


def test_the_same_figures_make_the_same_chart(report: Report, tmp_path: Path) -> None:
    first, second = report.write(tmp_path / "first"), report.write(tmp_path / "second")

    assert [path.read_text() for path in first] == [path.read_text() for path in second]


@pytest.mark.unit
@pytest.mark.parametrize(("value", "text"), [(12_345.6, "12,346"), (45.67, "45.7"), (1.234, "1.23"), (0, "0.00")])
def test_a_figure_has_as_many_digits_as_mean_something(value: float, text: str) -> None:
    assert figure(value) == text


def test_a_table_is_replaced_between_its_markers_and_nothing_else(tmp_path: Path) -> None:
    document = tmp_path / "concurrency.md"
    document.write_text("before\n<!-- holds: begin -->\nold\n<!-- holds: end -->\nafter\n")

    paste(document, "holds", "| new |\n")
    paste(document, "holds", "| newer |\n")

    assert document.read_text() == ("before\n<!-- holds: begin -->\n\n| newer |\n\n<!-- holds: end -->\nafter\n")


def test_a_document_without_markers_is_left_alone(tmp_path: Path) -> None:
    document = tmp_path / "concurrency.md"
    document.write_text("<!-- holds: end --> the wrong way round <!-- holds: begin -->")

    with pytest.raises(ValueError, match="lacks the markers"):
        paste(document, "holds", "| new |")

    assert "new" not in document.read_text()
