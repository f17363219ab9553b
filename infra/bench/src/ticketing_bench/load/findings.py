"""What a load run found: figures of the whole product, each with the promise that it is held against."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, computed_field
from rich.console import Console
from rich.table import Table

from ticketing_bench.machine import Machine
from ticketing_bench.measurement import Spread
from ticketing_bench.report import figure

__all__ = ["Finding", "LoadReport", "highest_kept"]


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Finding(_Figures):
    """One figure, once a round. `cpu` is cores in use per process meanwhile: 1.0 is one core all the time."""

    part: str
    name: str
    unit: str
    rounds: tuple[float, ...]
    at_least: float | None = None
    below: float | None = None
    note: str = ""
    cpu: Mapping[str, float] = {}

    @computed_field  # type: ignore[prop-decorator]  # pydantic's own way
    @property
    def spread(self) -> Spread:
        """Over the rounds."""
        return Spread.of(self.rounds)

    @computed_field  # type: ignore[prop-decorator]  # pydantic's own way
    @property
    def kept(self) -> bool | None:
        """Whether the promise was kept, by the median; None when nothing was promised."""
        if self.at_least is None and self.below is None:
            return None
        value = self.spread.median
        return (self.at_least is None or value >= self.at_least) and (self.below is None or value < self.below)

    def promise(self) -> str:
        """As a person says it."""
        if self.at_least is not None:
            return f"≥ {self.at_least:g}"
        return f"< {self.below:g}" if self.below is not None else ""


class LoadReport(_Figures):
    """All findings of one run. `at` is UTC; `quick` runs are for looking, not for quoting."""

    name: str = "load"
    at: datetime
    quick: bool
    machine: Machine
    findings: tuple[Finding, ...]

    @property
    def kept(self) -> bool:
        """Whether no promise was broken."""
        return all(one.kept is not False for one in self.findings)

    def show(self, console: Console) -> None:
        """A table, the processor time below it, and the machine."""
        table = Table(title="The whole product under load: median (lowest-highest) of rounds", title_justify="left")
        for heading in ("part", "figure", "", "unit", "promised", ""):
            table.add_column(heading, justify="left" if heading in {"part", "figure", "unit"} else "right")
        for one in self.findings:
            value = figure(one.spread.median)
            if len(one.rounds) > 1:
                value += f" ({figure(one.spread.low)}-{figure(one.spread.high)})"
            verdict = {True: "[green]kept[/]", False: "[red]missed[/]", None: ""}[one.kept]
            table.add_row(one.part, one.name, value, one.unit, one.promise(), verdict)
        console.print(table)
        for one in self.findings:
            if one.cpu:
                cores = ", ".join(f"{process} {used:.2f}" for process, used in one.cpu.items() if used >= 0.005)
                console.print(f"[dim]{one.part}, {one.name}: cores in use: {cores}[/]", soft_wrap=True)
            if one.note:
                console.print(f"[dim]{one.part}, {one.name}: {one.note}[/]", soft_wrap=True)
        console.print(f"[dim]{self.machine.text()}[/]", soft_wrap=True)

    def write(self, folder: Path) -> list[Path]:
        """`load.json`; returns what was written. Parts that were not run this time keep what is there."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        measured = {one.part for one in self.findings}
        earlier = LoadReport.model_validate_json(path.read_text()).findings if path.exists() else ()
        kept = tuple(one for one in earlier if one.part not in measured)
        path.write_text(self.model_copy(update={"findings": kept + self.findings}).model_dump_json(indent=2) + "\n")
        return [path]


def highest_kept(steps: Mapping[float, bool]) -> float:
    """The highest rate up to which every step was kept up with; 0 when not even the first was."""
    highest = 0.0
    for rate in sorted(steps):
        if not steps[rate]:
            break
        highest = rate
    return highest
