"""A run on the terminal and on disk: a table for the person, JSON for whoever compares, SVG for the documents."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from .charts import Bars, write_bars
from .machine import Machine
from .measurement import Measurement, Side, Spread

__all__ = ["Report", "figure", "paste"]


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
        """`<name>.json`, and one chart per unit; returns what was written."""
        folder.mkdir(parents=True, exist_ok=True)
        written = [folder / f"{self.name}.json"]
        written[0].write_text(self.model_dump_json(indent=2) + "\n")
        for number, unit in enumerate(dict.fromkeys(one.unit for one in self.measurements)):
            chosen = [one for one in self.measurements if one.unit == unit]
            path = folder / (f"{self.name}.svg" if number == 0 else f"{self.name}-{_file_name(unit)}.svg")
            bars = [
                Bars("the product", [one.subject.spread.median for one in chosen]),
                Bars("the plain thing", [one.reference.spread.median for one in chosen]),
            ]
            write_bars(path, f"{self.title} ({unit}, median of rounds)", [one.name for one in chosen], bars)
            written.append(path)
        return written


def _file_name(unit: str) -> str:
    return unit.replace("/", "-per-").replace("µ", "u")


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


def paste(document: Path, name: str, fragment: str) -> None:
    """Put a run's table between its two markers in a document; raises ValueError when they are not there."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, found, rest = document.read_text().partition(begin)
    _old, also_found, after = rest.partition(end)
    if not (found and also_found):
        raise ValueError(f"{document.name} lacks the markers {begin} and {end}")
    document.write_text(f"{before}{begin}\n\n{fragment.strip()}\n\n{end}{after}")
