"""The result of a run, as text and as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

SHOWN = 20


@dataclass
class Report:
    """Times in seconds. `recovery_seconds` is from the end of the last fault until there was no failure.

    `faults` counts by kind and target. `failures` are those at the end: violated invariants, broken promises,
    unfinished orders and payments, and processes that ended by themselves or did not start again.
    """

    seed: int
    seconds: float
    begun: Mapping[str, int] = field(default_factory=dict)
    acknowledged: Mapping[str, int] = field(default_factory=dict)
    unanswered: Mapping[str, int] = field(default_factory=dict)
    faults: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    outcomes: Mapping[str, int] = field(default_factory=dict)
    """The final statuses of orders and payments, counted."""
    ready_seconds: float | None = None
    recovery_seconds: float | None = None
    failures: list[str] = field(default_factory=list)
    kept: Path | None = None
    """The folder of data and logs, after a failure."""

    def as_json(self) -> dict[str, Any]:
        """The report as values for JSON."""
        return {**asdict(self), "kept": None if self.kept is None else str(self.kept), "ok": not self.failures}


def print_report(report: Report, console: Console) -> None:
    """Print the report as text."""
    table = Table("action", "begun", "acknowledged", "no response", box=None, pad_edge=False)
    for action in sorted(report.begun):
        counts = (counted.get(action, 0) for counted in (report.begun, report.acknowledged, report.unanswered))
        table.add_row(action, *(str(count) for count in counts))
    console.print(table)
    for kind, targets in report.faults.items():
        console.print(f"{kind}: {sum(targets.values())} ({_counted(targets)})", soft_wrap=True)
    console.print(f"ended as: {_counted(report.outcomes)}", soft_wrap=True)
    if report.recovery_seconds is not None:
        console.print(
            f"Whole again {report.recovery_seconds:.1f} s after the last fault "
            f"(all processes ready after {report.ready_seconds or 0:.1f} s)."
        )
    if not report.failures:
        console.print(f"[bold green]✓[/] 0 violations, no promise broken; seed {report.seed}.")
        return
    console.print(f"[bold red]✗[/] {len(report.failures)} failures; seed {report.seed}:")
    for failure in report.failures[:SHOWN]:
        console.print(f"  {escape(failure)}", soft_wrap=True)
    if len(report.failures) > SHOWN:
        console.print(f"  … and {len(report.failures) - SHOWN} more (--json lists all)")
    console.print(f"Data and logs are kept in {report.kept}", soft_wrap=True)


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
