"""The `ticketing-bench` command."""

import asyncio
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from ticketing_ops.console import console, fail
from ticketing_ops.data_dir import repository_root
from ticketing_system.market import UnsettledError
from ticketing_testkit.servers import ServerStartError

from .machine import Machine
from .measurement import Finding, InvalidRunError
from .report import Report
from .worker import WorkerError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Measurements, on this machine only.")

QuickOption = Annotated[
    bool, typer.Option("--quick", help="A short run, whose figures must not be quoted; the report is in .local/bench")
]


@app.callback()
def main_options() -> None:
    """Measurements, on this machine only."""
    # SIGTERM ends the run like an exception, so that its servers stop and its data is deleted.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def _say(line: str) -> None:
    console.print(f"[dim]{line}[/]")


def _report(name: str, title: str, run: Callable[[], Sequence[Finding]], *, quick: bool) -> None:
    """Run, print and write the report; exits with 1 when the run is invalid or misses a budget."""
    machine, at = Machine.this(), datetime.now(UTC)
    try:
        findings = tuple(run())
    except (InvalidRunError, UnsettledError, WorkerError, ServerStartError) as error:
        fail(str(error))
    report = Report(name=name, title=title, at=at, quick=quick, machine=machine, findings=findings)
    report.show(console)
    folder = repository_root().joinpath(*((".local", "bench") if quick else ("docs", "bench")))
    console.print(f"written: {report.write(folder)}")
    if not report.kept:
        console.print("[red]A budget was missed.[/]")
        raise typer.Exit(1)


# Each command imports its own measurements, which bring the services and the drivers.


@app.command()
def delivery(quick: QuickOption = False) -> None:
    """Measure the relay, the latency from commit to handler, and the consumer, each against the bare broker."""
    from .delivery.run import FULL, QUICK, run

    title = "Event delivery against the bare broker"
    _report("delivery", title, lambda: run(QUICK if quick else FULL, _say), quick=quick)


@app.command()
def streams(quick: QuickOption = False) -> None:
    """Measure the latency of live updates from a commit to a thousand browsers."""
    from .streams.run import FULL, QUICK, run

    title = "Live updates to the browsers of one replica"
    _report("streams", title, lambda: run(QUICK if quick else FULL, _say), quick=quick)


@app.command()
def routes(quick: QuickOption = False) -> None:
    """Measure the cost of single routes against bare ones, with traces, and while Stripe hangs."""
    from .route_costs.run import FULL, QUICK, run

    title = "Single routes against their baselines"
    _report("routes", title, lambda: run(QUICK if quick else FULL, _say), quick=quick)


@app.command()
def load(
    quick: QuickOption = False,
    part: Annotated[list[str] | None, typer.Option(help="Only this part, by name; can be repeated")] = None,
) -> None:
    """Measure the whole product: bursts, steady load, buying, growth, memory, starts, and expiring holds."""
    from .load.run import PARTS, run
    from .load.sizes import FULL, QUICK

    parts = part or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        fail(f"There is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}.")
    sizes = QUICK if quick else FULL
    title = "The whole product under load"
    _report("load", title, lambda: asyncio.run(run(parts, sizes, _say)), quick=quick)


def main() -> None:
    """Entry point."""
    app()
