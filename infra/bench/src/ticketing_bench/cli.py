"""The `ticketing-bench` command."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from ticketing_ops.console import console, fail
from ticketing_ops.data_dir import repository_root
from ticketing_testkit.servers import ServerStartError

from .report import Report
from .worker import WorkerError

__all__ = ["main"]

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Measurements, on this machine only.")

QuickOption = Annotated[bool, typer.Option("--quick", help="A short run, whose figures must not be quoted")]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="Folder of the JSON report [docs/bench; with --quick .local/bench]")
]


@app.callback()
def main_options() -> None:
    """Measurements, on this machine only."""
    # SIGTERM ends the run like an exception, so that its servers stop and its data is deleted.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def _say(line: str) -> None:
    console.print(f"[dim]{line}[/]")


def _folder(out: Path | None, *, quick: bool) -> Path:
    return out or repository_root().joinpath(*((".local", "bench") if quick else ("docs", "bench")))


def _show(report: Report, folder: Path) -> None:
    """Print and write the report; exits with 1 when a budget was missed."""
    report.show(console)
    for path in report.write(folder):
        console.print(f"written: {path}")
    if not report.kept:
        console.print("[red]A budget was missed.[/]")
        raise typer.Exit(1)


@app.command("backbone")
def delivery(quick: QuickOption = False, out: OutOption = None) -> None:
    """Measure the relay, the latency from commit to handler, and the consumer, each against the bare broker."""
    from .delivery.run import FULL, QUICK, IncompleteRoundError, run  # here, as it brings a service and the drivers

    try:
        report = run(QUICK if quick else FULL, quick=quick, say=_say)
    except (IncompleteRoundError, WorkerError, ServerStartError) as error:
        fail(str(error))
    _show(report, _folder(out, quick=quick))


@app.command()
def streams(quick: QuickOption = False, out: OutOption = None) -> None:
    """Measure the latency of live updates from a commit to a thousand browsers."""
    from .streams.run import FULL, QUICK, IncompleteClientsError, run  # here, as it brings a service and the drivers

    try:
        report = run(QUICK if quick else FULL, quick=quick, say=_say)
    except (IncompleteClientsError, WorkerError, ServerStartError) as error:
        fail(str(error))
    _show(report, _folder(out, quick=quick))


@app.command()
def routes(quick: QuickOption = False, out: OutOption = None) -> None:
    """Measure the cost of single routes against bare ones, with traces, and while Stripe hangs."""
    from .route_costs.run import FULL, QUICK, UnexpectedAnswerError, run  # here, as it brings services

    try:
        report = run(QUICK if quick else FULL, quick=quick, say=_say)
    except (UnexpectedAnswerError, WorkerError, ServerStartError) as error:
        fail(str(error))
    _show(report, _folder(out, quick=quick))


@app.command()
def load(
    quick: QuickOption = False,
    out: OutOption = None,
    part: Annotated[list[str] | None, typer.Option(help="Only this part, by name; can be repeated")] = None,
) -> None:
    """Measure the whole product: bursts, steady load, buying, growth, memory, starts, and expiring holds."""
    from .load.market import UnsettledError  # here, as it brings services and the drivers with it
    from .load.run import PARTS, run
    from .load.sizes import FULL, QUICK

    if unknown := set(part or ()) - set(PARTS):
        fail(f"There is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}.")
    try:
        report = asyncio.run(run(part or PARTS, QUICK if quick else FULL, quick=quick, say=_say))
    except (UnsettledError, WorkerError, ServerStartError) as error:
        fail(str(error))
    _show(report, _folder(out, quick=quick))


def main() -> None:
    """Entry point."""
    app()
