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

QuickOption = Annotated[bool, typer.Option("--quick", help="Short: for looking, not for quoting")]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="Where the JSON goes [docs/bench; with --quick .local/bench]")
]


@app.callback()
def main_options() -> None:
    """Measurements, on this machine only."""
    # So that a run that is told to end also ends its servers, and takes its data with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def _say(line: str) -> None:
    console.print(f"[dim]{line}[/]")


def _folder(out: Path | None, *, quick: bool) -> Path:
    return out or repository_root().joinpath(*((".local", "bench") if quick else ("docs", "bench")))


def _tell(report: Report, folder: Path) -> None:
    """Show and write what a run found; leaves with 1 when a budget was missed."""
    report.show(console)
    for path in report.write(folder):
        console.print(f"written: {path}")
    if not report.kept:
        console.print("[red]A budget was missed.[/]")
        raise typer.Exit(1)


@app.command("backbone")
def delivery(quick: QuickOption = False, out: OutOption = None) -> None:
    """The relay, the way from commit to handler, and the consumer, each against the bare broker."""
    from .delivery.run import FULL, QUICK, IncompleteRoundError, run  # here, as it brings a service and the drivers

    try:
        report = run(QUICK if quick else FULL, quick=quick, say=_say)
    except (IncompleteRoundError, WorkerError, ServerStartError) as error:
        fail(str(error))
    _tell(report, _folder(out, quick=quick))


@app.command()
def streams(quick: QuickOption = False, out: OutOption = None) -> None:
    """How late a thousand browsers hear of a commit, against a bare event stream."""
    from .streams.run import FULL, QUICK, IncompleteClientsError, run  # here, as it brings a service and the drivers

    try:
        report = run(QUICK if quick else FULL, quick=quick, say=_say)
    except (IncompleteClientsError, WorkerError, ServerStartError) as error:
        fail(str(error))
    _tell(report, _folder(out, quick=quick))


@app.command()
def routes(quick: QuickOption = False, out: OutOption = None) -> None:
    """What single routes cost against bare ones, with traces, and while Stripe hangs."""
    from .route_costs.run import FULL, QUICK, UnexpectedAnswerError, run  # here, as it brings services

    try:
        report = run(QUICK if quick else FULL, quick=quick, say=_say)
    except (UnexpectedAnswerError, WorkerError, ServerStartError) as error:
        fail(str(error))
    _tell(report, _folder(out, quick=quick))


@app.command()
def load(
    quick: QuickOption = False,
    out: OutOption = None,
    part: Annotated[list[str] | None, typer.Option(help="Only these, by name; can be given several times")] = None,
) -> None:
    """The whole product: bursts, a steady stream, buying, growth, memory, starts, and holds that run out."""
    from .load.market import UnsettledError  # here, as it brings services and the drivers with it
    from .load.run import PARTS, run
    from .load.sizes import FULL, QUICK

    if unknown := set(part or ()) - set(PARTS):
        fail(f"There is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}.")
    try:
        report = asyncio.run(run(part or PARTS, QUICK if quick else FULL, quick=quick, say=_say))
    except (UnsettledError, WorkerError, ServerStartError) as error:
        fail(str(error))
    _tell(report, _folder(out, quick=quick))


def main() -> None:
    """Entry point."""
    app()
