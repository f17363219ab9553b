"""A run on the terminal as a table, and on disk as JSON."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from .machine import Machine
from .measurement import Finding, Measurement, Side, Spread

__all__ = ["Report", "figure"]

IDLE: Final = 0.005
"""A process that used less is not named."""
VERDICTS: Final = {True: "[green]kept[/]", False: "[red]missed[/]", None: ""}


class Report(BaseModel):
    """Measurements against a baseline and findings without one. `at` is UTC; `quick` runs are not for quoting."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    title: str = ""
    at: datetime
    quick: bool
    machine: Machine
    measurements: tuple[Measurement, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def kept(self) -> bool:
        """Whether no budget was missed."""
        verdicts = [one.kept for one in self.measurements] + [one.kept for one in self.findings]
        return False not in verdicts

    def show(self, console: Console) -> None:
        """The summaries, then where the processor time went."""
        if self.measurements:
            console.print(_summary(self))
            console.print(_processors(self.measurements))
        if self.findings:
            console.print(_figures(self))
        for one in self.findings:
            if one.cpu:
                console.print(f"[dim]{one.part}, {one.name}: cores in use: {_cores(one)}[/]", soft_wrap=True)
            if one.note:
                console.print(f"[dim]{one.part}, {one.name}: {one.note}[/]", soft_wrap=True)
        console.print(f"[dim]{self.machine.text()}[/]", soft_wrap=True)

    def write(self, folder: Path) -> list[Path]:
        """`<name>.json`; returns what was written. Findings of parts that were not run this time stay in it."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        measured = {one.part for one in self.findings}
        earlier = Report.model_validate_json(path.read_text()).findings if path.exists() and measured else ()
        kept = tuple(one for one in earlier if one.part not in measured)
        path.write_text(self.model_copy(update={"findings": kept + self.findings}).model_dump_json(indent=2) + "\n")
        return [path]


def figure(value: float) -> str:
    """With as many digits as mean something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _range(spread: Spread) -> str:
    return f"{figure(spread.median)} ({figure(spread.low)}-{figure(spread.high)})"


def _summary(report: Report) -> Table:
    rounds = len(report.measurements[0].subject.rounds)
    table = Table(title=f"{report.title}: median (lowest-highest) of {rounds} rounds, in turns", title_justify="left")
    for heading in ("measurement", "the product", "the plain thing", "unit", "ratio", "budget", ""):
        table.add_column(heading, justify="left" if heading in {"measurement", "unit"} else "right")
    for one in report.measurements:
        ratio = f"{one.ratio.median:.2f} ({one.ratio.low:.2f}-{one.ratio.high:.2f})"
        budget = one.budget.text(one.unit) if one.budget else ""
        subject, reference = _range(one.subject.spread), _range(one.reference.spread)
        table.add_row(one.name, subject, reference, one.unit, ratio, budget, VERDICTS[one.kept])
    return table


def _figures(report: Report) -> Table:
    table = Table(title=f"{report.title}: median (lowest-highest) of the rounds", title_justify="left")
    for heading in ("part", "figure", "", "unit", "budget", ""):
        table.add_column(heading, justify="left" if heading in {"part", "figure", "unit"} else "right")
    for one in report.findings:
        value = _range(one.spread) if len(one.rounds) > 1 else figure(one.spread.median)
        table.add_row(one.part, one.name, value, one.unit, one.budget_text(), VERDICTS[one.kept])
    return table


def _processors(measurements: Sequence[Measurement]) -> Table:
    table = Table(title="Cores in use while measured (1.00 is one core all the time)", title_justify="left")
    for heading in ("measurement", "the product", "the plain thing"):
        table.add_column(heading)
    for one in (one for one in measurements if one.subject.cpu or one.reference.cpu):
        table.add_row(one.name, _cores(one.subject), _cores(one.reference))
    return table


def _cores(of: Side | Finding) -> str:
    return ", ".join(f"{process} {cores:.2f}" for process, cores in of.cpu.items() if cores >= IDLE)
