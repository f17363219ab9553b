"""`ticketing-chaos`."""

import json
import os
import random
import shutil
import signal
import tempfile
from pathlib import Path
from types import FrameType
from typing import Annotated, Final, NoReturn

import typer
from rich.console import Console

from ticketing_testkit.servers import ServerStartError

from .report import print_report
from .run import RunOptions, run

# Only what we start ourselves may be killed.
FOREIGN: Final = ("MONGO_URL", "NATS_URL", "REDIS_URL", "STRIPE_API_BASE")


def chaos(
    seconds: Annotated[float, typer.Option(help="How long things break", min=5)] = 180.0,
    seed: Annotated[int | None, typer.Option(help="Of the faults and the callers' choices [a new one]")] = None,
    settle_seconds: Annotated[float, typer.Option(help="All must be whole that long after the last fault")] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON; what happens goes to stderr")] = False,
) -> None:
    """Kill and freeze processes of a whole stack at random while people buy and sell; 1 when anything is broken."""
    console = Console(stderr=as_json, highlight=False)
    named = [name for name in FOREIGN if os.environ.get(name)]
    if named:
        console.print(f"[bold red]✗[/] {named[0]} is set: chaos only breaks what it has started itself. Unset it.")
        raise typer.Exit(1)
    seed = random.randrange(1_000_000) if seed is None else seed
    data_dir = Path(tempfile.mkdtemp(prefix="ticketing-chaos-"))
    options = RunOptions(seed, seconds, data_dir, settle_seconds)
    console.print(f"seed {seed}, {seconds:.0f} s, data and logs in {data_dir}", soft_wrap=True)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    broken = True
    try:
        report = run(options, lambda text: console.print(text, markup=False, soft_wrap=True))
        broken = bool(report.failures)
    except ServerStartError as error:
        console.print(f"[bold red]✗[/] {error}", soft_wrap=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        broken = False
        console.print("Stopped.")
        raise typer.Exit(130) from None
    finally:
        if not broken:
            shutil.rmtree(data_dir)
    if broken:
        report.kept = data_dir
    if as_json:
        print(json.dumps(report.as_json(), indent=2))  # noqa: T201 (the result)
    else:
        print_report(report, console)
    if broken:
        raise typer.Exit(1)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def main() -> None:
    """The console script."""
    typer.run(chaos)
