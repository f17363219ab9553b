"""What the command says to the person: one console, plain sentences."""

from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape

__all__ = ["console", "fail"]

console = Console(highlight=False)


def fail(message: str) -> NoReturn:
    """Say what is wrong and what to do, and end with status 1."""
    console.print(f"[bold red]✗[/] {escape(message)}", soft_wrap=True)
    raise typer.Exit(1)
