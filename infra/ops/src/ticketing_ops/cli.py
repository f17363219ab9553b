"""`python -m ticketing_ops`: only the operator's commands, for use in the cluster; `ticketing` includes them."""

from typing import Annotated

import httpx
import typer

from .accounts import accounts_app
from .audit.command import audit_command
from .console import console, fail
from .dead_letters import dead_letters_app
from .demo import ScenarioError, play
from .events import events_app
from .passes import passes_app
from .resync import resync
from .streams import streams_app

DEFAULT_WINDOW_SECONDS = 900


def add_commands(to: typer.Typer) -> None:
    """Add the commands for accounts, audit, events, dead letters, streams, passes and resync."""
    to.add_typer(accounts_app, name="accounts")
    to.add_typer(events_app, name="events")
    to.add_typer(dead_letters_app, name="dead-letters")
    to.add_typer(streams_app, name="streams")
    to.add_typer(passes_app, name="pass")
    to.command()(resync)
    to.command("audit")(audit_command)


app = typer.Typer(no_args_is_help=True, add_completion=False, help="The operator's commands of Ticketing.")
add_commands(app)


@app.command()
def demo(
    base_url: Annotated[str, typer.Option(help="The marketplace's public address")],
    window: Annotated[int, typer.Option(help="Seconds a hold lasts there", min=1)] = DEFAULT_WINDOW_SECONDS,
) -> None:
    """Play the demo over HTTP: sold once, refused twice, free again. Exit 1 if any step differs."""
    play_against({"client": base_url.rstrip("/")}, window)


def play_against(addresses: dict[str, str], window_seconds: int) -> None:
    """Play the demo and print its result; exit 1 when a step differs or an address does not answer."""
    try:
        steps = play(addresses, window_seconds)
    except ScenarioError:
        raise typer.Exit(1) from None
    except (httpx.HTTPError, OSError) as error:
        fail(str(error))
    console.print(f"\n[bold green]All {steps} steps passed.[/]")


def main() -> None:
    """Entry point of the module."""
    app()
