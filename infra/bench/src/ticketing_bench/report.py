"""A run on the terminal as a table, and on disk as JSON."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from .machine import Machine
from .measurement import Measurement, Side, Spread

__all__ = ["Report", "figure"]


class Report(BaseModel):
    """All measurements of one run. `at` is UTC; `quick` runs are for looking, not for quoting."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    title: str
    at: datetime
    quick: bool
    machine: Machine
    measurements: tuple[Measurement, ...]

    @property
    def kept(self) -> bool:
        """Whether no budget was missed."""
        return all(one.kept is not False for one in self.measurements)

    def show(self, console: Console) -> None:
        """The summary, then where the processor time went."""
        console.print(_summary(self))
        console.print(_processors(self.measurements))
        console.print(f"[dim]{self.machine.text()}[/]", soft_wrap=True)

    def write(self, folder: Path) -> list[Path]:
        """`<name>.json`; returns what was written."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        path.write_text(self.model_dump_json(indent=2) + "\n")
        return [path]


def figure(value: float) -> str:
    """With as many digits as mean something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _range(spread: Spread) -> str:
    return f"{figure(spread.median)} ({figure(spread.low)}-{figure(spread.high)})"


def _summary(report: Report) -> Table:
    rounds = len(report.measurements[0].subject.rounds) if report.measurements else 0
    table = Table(title=f"{report.title}: median (lowest-highest) of {rounds} rounds, in turns", title_justify="left")
    for heading in ("measurement", "the product", "the plain thing", "unit", "ratio", "budget", ""):
        table.add_column(heading, justify="left" if heading in {"measurement", "unit"} else "right")
    for one in report.measurements:
        ratio = f"{one.ratio.median:.2f} ({one.ratio.low:.2f}-{one.ratio.high:.2f})"
        verdict = {True: "[green]kept[/]", False: "[red]missed[/]", None: ""}[one.kept]
        budget = one.budget.text(one.unit) if one.budget else ""
        subject, reference = _range(one.subject.spread), _range(one.reference.spread)
        table.add_row(one.name, subject, reference, one.unit, ratio, budget, verdict)
    return table


def _processors(measurements: Sequence[Measurement]) -> Table:
    table = Table(title="Cores in use while measured (1.00 is one core all the time)", title_justify="left")
    for heading in ("measurement", "the product", "the plain thing"):
        table.add_column(heading)
    for one in (one for one in measurements if one.subject.cpu or one.reference.cpu):
        table.add_row(one.name, _cores(one.subject), _cores(one.reference))
    return table


def _cores(side: Side) -> str:
    return ", ".join(f"{process} {cores:.2f}" for process, cores in side.cpu.items())
