"""The console that all commands print to."""

import unicodedata
from typing import Final, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

console = Console(highlight=False)

_ESCAPED: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that are escaped: controls (a terminal executes them), format characters (bidi controls reorder
the line), surrogates, private use, unassigned code points, and line separators."""


def printable(text: str) -> str:
    r"""Escape untrusted text for a terminal: invisible characters become escapes such as `\x1b` or `\u202e`.

    A backslash is not escaped: the result is for display and cannot be decoded.
    """
    return "".join(
        character.encode("unicode_escape").decode() if unicodedata.category(character) in _ESCAPED else character
        for character in text
    )


def shown(text: str) -> str:
    """Untrusted text, escaped for the terminal and for Rich's markup."""
    return escape(printable(text))


def print_lines(text: str) -> None:
    """Print untrusted text line by line, without markup and with its controls escaped."""
    for line in text.split("\n"):
        console.print(printable(line), markup=False, soft_wrap=True)


def fail(message: str) -> NoReturn:
    """Print the error with its remedy, and exit with status 1."""
    console.print(f"[bold red]✗[/] {shown(message)}", soft_wrap=True)
    raise typer.Exit(1)
