"""The experiment: rounds in turns, no figure without its check, and the table for the document."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from ticketing_bench.charts import Bars, write_bars
from ticketing_bench.machine import Machine
from ticketing_bench.measurement import Side, Spread
from ticketing_bench.report import figure
from ticketing_bench.servers import running_servers
from ticketing_bench.worker import Worker

from .buyers import BuyersRole
from .variants import VARIANTS, Outcome

__all__ = ["FULL", "QUICK", "HoldsReport", "OversoldError", "Sizes", "run"]

SCENARIOS: Final = {"hot": "a hot ticket", "many": "many tickets"}


class OversoldError(Exception):
    """A way that should be safe sold a ticket twice, or said otherwise than the database holds."""


@dataclass(frozen=True)
class Sizes:
    """How long the experiment takes."""

    rounds: int
    seconds: float
    buyers: int = 32
    tickets: int = 10_000


FULL: Final = Sizes(rounds=5, seconds=4.0)
QUICK: Final = Sizes(rounds=2, seconds=1.0)


class Row(BaseModel):
    """One variant in one scenario. `outcomes` and what follows are sums over all rounds."""

    model_config = ConfigDict(frozen=True)

    scenario: str
    variant: str
    attempts: Side
    holds: Spread
    p50: Spread
    p99: Spread
    outcomes: dict[str, int]
    conflicts: int
    offered: int
    oversold: int


class HoldsReport(BaseModel):
    """All rows, and on what they were measured. `at` is UTC."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    quick: bool
    buyers: int
    rounds: int
    seconds: float
    machine: Machine
    rows: tuple[Row, ...]

    def show(self, console: Console) -> None:
        """On the terminal, a table for each scenario: the middle of the rounds, without the spread."""
        for scenario in SCENARIOS.values():
            table = Table(
                title=f"{scenario}: {self.buyers} buyers, median of {self.rounds} rounds in turns", title_justify="left"
            )
            for heading in ("way", "attempts/s", "holds/s", "p99 ms", "retried", "undecided", "sold twice"):
                table.add_column(heading, justify="left" if heading == "way" else "right")
            for row in (row for row in self.rows if row.scenario == scenario):
                undecided = row.outcomes[Outcome.LOCK_TIMEOUT] + row.outcomes[Outcome.FAILED]
                medians = (row.attempts.spread.median, row.holds.median, row.p99.median)
                counts = (row.conflicts, undecided, row.oversold)
                table.add_row(row.variant, *map(figure, medians), *(f"{count:,}" for count in counts))
            console.print(table)
        for row in self.rows:
            cores = ", ".join(f"{process} {cores:.2f}" for process, cores in row.attempts.cpu.items())
            console.print(f"[dim]cores in use, {row.scenario}, {row.variant}: {cores}[/]", soft_wrap=True)
        console.print(f"[dim]{self.machine.text()}[/]", soft_wrap=True)

    def markdown(self) -> str:
        """The table as the document has it."""
        lines = [
            f"{self.buyers} buyers at once, {self.rounds} rounds of {self.seconds:g} s of each, in turns; "
            f"median (lowest-highest). Measured {self.at:%Y-%m-%d} on {self.machine.text()}.",
            "",
            "| " + " | ".join(HEADINGS) + " |",
            "| --- | --- |" + " ---: |" * (len(HEADINGS) - 2),
            *("| " + " | ".join(_cells(row)) + " |" for row in self.rows),
        ]
        return "\n".join(lines)

    def write(self, folder: Path) -> list[Path]:
        """JSON, and two charts: how many attempts are decided, and how long the unlucky ones take."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / "holds.json", folder / "holds.svg", folder / "holds-p99.svg"]
        paths[0].write_text(self.model_dump_json(indent=2) + "\n")
        names = list(VARIANTS)  # short enough to stand below a bar
        charts = ((paths[1], "attempts/s", _attempts), (paths[2], "p99 of an attempt, ms", _p99))
        for path, what, value in charts:
            bars = [
                Bars(title, [value(row) for row in self.rows if row.scenario == title]) for title in SCENARIOS.values()
            ]
            write_bars(path, f"{what}, {self.buyers} buyers at once (median of rounds)", names, bars)
        return paths


HEADINGS: Final = (
    "scenario",
    "way",
    "attempts/s",
    "holds/s",
    "p50 ms",
    "p99 ms",
    "lost race",
    "lock timeout",
    "database error",
    "write conflicts retried",
    "tickets sold twice",
)


def _attempts(row: Row) -> float:
    return row.attempts.spread.median


def _p99(row: Row) -> float:
    return row.p99.median


def _cells(row: Row) -> list[str]:
    spreads = (row.attempts.spread, row.holds, row.p50, row.p99)
    sums = (*(row.outcomes[kind] for kind in (Outcome.LOST, Outcome.LOCK_TIMEOUT, Outcome.FAILED)), row.conflicts)
    twice = f"**{row.oversold}** of {row.offered}" if row.oversold else "0"
    return [
        row.scenario,
        row.variant,
        *(f"{figure(one.median)} ({figure(one.low)}-{figure(one.high)})" for one in spreads),
        *(f"{number:,}" for number in sums),
        twice,
    ]


def run(sizes: Sizes, *, quick: bool, say: Callable[[str], None]) -> HoldsReport:
    """Let them race; raises `OversoldError` when a way that claims to be safe is not."""
    machine, at = Machine.this(), datetime.now(UTC)
    answers: dict[tuple[str, str], list[Mapping[str, Any]]] = {(s, v): [] for s in SCENARIOS for v in VARIANTS}
    with (
        running_servers(redis=True) as servers,
        Worker(BuyersRole, urls=servers.urls, pids=servers.pids) as buyers,
    ):
        for number in range(sizes.rounds):
            for scenario in SCENARIOS:
                # Another one begins each time: whoever comes first has no steady advantage.
                names = list(VARIANTS)
                for name in names[number % len(names) :] + names[: number % len(names)]:
                    answer = buyers.ask(
                        "race",
                        scenario=scenario,
                        variant=name,
                        buyers=sizes.buyers,
                        tickets=sizes.tickets,
                        seconds=sizes.seconds,
                        seed=number,
                    )
                    _check(scenario, name, answer)
                    answers[scenario, name].append(answer)
                    say(
                        f"{scenario}, {name}: {answer['attempts']:,.0f} attempts/s, {answer['holds']:,.0f} holds/s, "
                        f"p99 {answer['p99']:.1f} ms, {answer['oversold']} tickets sold twice"
                    )
    rows = tuple(_row(scenario, name, found) for (scenario, name), found in answers.items())
    return HoldsReport(
        at=at,
        quick=quick,
        buyers=sizes.buyers,
        rounds=sizes.rounds,
        seconds=sizes.seconds,
        machine=machine,
        rows=rows,
    )


def _check(scenario: str, name: str, answer: Mapping[str, Any]) -> None:
    held = answer["outcomes"][Outcome.HELD]
    if answer["stored"] != held:
        raise OversoldError(f"{name}: {held} buyers were told that they hold a ticket, {answer['stored']} orders do")
    if not VARIANTS[name].OVERSELLS and answer["oversold"]:
        raise OversoldError(f"{name}: {answer['oversold']} tickets were sold twice")
    undecided = answer["outcomes"][Outcome.LOCK_TIMEOUT] + answer["outcomes"][Outcome.FAILED]
    if scenario == "hot" and not undecided and held < answer["offered"]:
        raise OversoldError(f"{name}: {answer['offered'] - held} tickets went to nobody")


def _row(scenario: str, name: str, answers: list[Mapping[str, Any]]) -> Row:
    outcomes: Counter[str] = Counter()
    for answer in answers:
        outcomes.update(answer["outcomes"])
    return Row(
        scenario=SCENARIOS[scenario],
        variant=VARIANTS[name].NAME,
        attempts=Side.of(name, [answer["attempts"] for answer in answers], [answer["cpu"] for answer in answers]),
        holds=Spread.of([answer["holds"] for answer in answers]),
        p50=Spread.of([answer["p50"] for answer in answers]),
        p99=Spread.of([answer["p99"] for answer in answers]),
        outcomes=dict(outcomes),
        conflicts=sum(answer["conflicts"] for answer in answers),
        offered=sum(answer["offered"] for answer in answers),
        oversold=sum(answer["oversold"] for answer in answers),
    )
