"""The `ticketing-bench` command."""

import typer

from ticketing_bench.chaos import chaos

__all__ = ["main"]

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Load and fault runs, on this machine only.")


@app.callback()
def main_options() -> None:
    """Load and fault runs, on this machine only."""


app.command()(chaos)


def main() -> None:
    """Entry point."""
    app()
