"""What the command says to the person: one console, plain sentences."""

import unicodedata
from typing import Final, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

__all__ = ["console", "fail", "print_lines", "printable"]

console = Console(highlight=False)

_ESCAPED: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Controls (a terminal obeys them), format characters (bidi controls reorder the line), line separators, and code
points without a meaning."""


def printable(text: str) -> str:
    r"""Text of others for a terminal: what is not a visible character becomes an escape such as `\x1b` or `\u202e`.

    A backslash stays as it is: the result is for reading, not for turning back.
    """
    return "".join(
        character.encode("unicode_escape").decode() if unicodedata.category(character) in _ESCAPED else character
        for character in text
    )


def print_lines(text: str) -> None:
    """Print text of others as it is, line by line, without markup and with its controls escaped."""
    for line in text.split("\n"):
        console.print(printable(line), markup=False, soft_wrap=True)


def fail(message: str) -> NoReturn:
    """Say what is wrong and what to do, and end with status 1."""
    console.print(f"[bold red]✗[/] {escape(printable(message))}", soft_wrap=True)
    raise typer.Exit(1)
