"""The report of a run: on the terminal as a table, on disk as JSON."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from .machine import Machine
from .measurement import Finding, Spread

IDLE: Final = 0.005
"""A process that used fewer cores is left out."""
VERDICTS: Final = {True: "[green]kept[/]", False: "[red]missed[/]", None: ""}


class Report(BaseModel):
    """The findings of a run. `at` is UTC; figures of `quick` runs must not be quoted."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    title: str = ""
    at: datetime
    quick: bool
    machine: Machine
    findings: tuple[Finding, ...] = ()

    @property
    def kept(self) -> bool:
        """Whether no budget was missed."""
        return False not in [one.kept for one in self.findings]

    def show(self, console: Console) -> None:
        """Print the table, then CPU time and note of each finding."""
        console.print(self._table())
        for one in self.findings:
            details = (_cores("cores in use", one.cpu), _cores("of the baseline", one.baseline_cpu), one.note)
            for detail in filter(None, details):
                console.print(f"[dim]{one.part}, {one.name}: {detail}[/]", soft_wrap=True)
        console.print(f"[dim]{self.machine.text()}[/]", soft_wrap=True)

    def write(self, folder: Path) -> Path:
        """Write `<name>.json`, which keeps the findings of parts that were not measured this time."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        measured = {one.part for one in self.findings}
        earlier = Report.model_validate_json(path.read_text()).findings if path.exists() else ()
        kept = tuple(one for one in earlier if one.part not in measured)
        path.write_text(self.model_copy(update={"findings": kept + self.findings}).model_dump_json(indent=2) + "\n")
        return path

    def _table(self) -> Table:
        table = Table(title=f"{self.title}: median (lowest-highest) of the rounds", title_justify="left")
        for heading in ("part", "figure", "the product", "baseline", "unit", "ratio", "budget", ""):
            table.add_column(heading, justify="left" if heading in {"part", "figure", "unit"} else "right")
        for one in self.findings:
            baseline = _range(Spread.of(one.baseline)) if one.baseline else ""
            ratio = f"{one.ratio.median:.2f} ({one.ratio.low:.2f}-{one.ratio.high:.2f})" if one.ratio else ""
            value = _range(one.spread) if len(one.rounds) > 1 else figure(one.spread.median)
            table.add_row(one.part, one.name, value, baseline, one.unit, ratio, one.budget_text(), VERDICTS[one.kept])
        return table


def figure(value: float) -> str:
    """A number with three significant digits."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _range(spread: Spread) -> str:
    return f"{figure(spread.median)} ({figure(spread.low)}-{figure(spread.high)})"


def _cores(title: str, cpu: Mapping[str, float]) -> str:
    used = ", ".join(f"{process} {cores:.2f}" for process, cores in cpu.items() if cores >= IDLE)
    return used and f"{title}: {used}"
