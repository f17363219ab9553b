"""`ticketing pass verify`: verifies the code of a pass as a scanner without a network does (docs/passes.md)."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import typer
from rich.markup import escape

from ticketing_common.security import MAX_PASS_CODE, PassClaims, PassCodeError, PassKeys

from .api import Api
from .console import console, printable
from .data_dir import DataDirOption, data_dir_of

PATH: Final = "/api/orders/pass-keys"
VERIFIED, REFUSED, UNREADABLE = 0, 1, 2
SECONDS: Final = 10.0

passes_app = typer.Typer(no_args_is_help=True, help="Passes: verify their codes.")


class _KeysUnreadableError(Exception):
    """The keys could not be read; says why."""


@passes_app.callback()
def passes() -> None:
    """Passes: verify their codes."""  # with a callback, a single command keeps its name


@passes_app.command()
def verify(
    code: Annotated[str, typer.Argument(help="The content of the QR code; `-` reads it from standard input")],
    keys: Annotated[Path | None, typer.Option(help="A file with the JWK set; without it the network is used")] = None,
    base_url: Annotated[str | None, typer.Option(help="The marketplace's public address [the running stack]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: one object")] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Verify the signature of a code and print what it says; whether the pass is used or void, only orders knows.

    `GET /api/orders/pass-keys` has the keys; with a copy of it in a file no network is needed. Exit 0 when this
    marketplace issued the code, 1 when not, 2 when the keys could not be read.
    """
    if code == "-":
        code = sys.stdin.read(MAX_PASS_CODE + 2).strip()
    try:
        claims = _keys(keys, base_url, data_dir).verify(code)
    except _KeysUnreadableError as error:
        _print({"valid": None, "reason": str(error)}, as_json=as_json)
        raise typer.Exit(UNREADABLE) from None
    except PassCodeError as error:
        _print({"valid": False, "reason": error.detail}, as_json=as_json)
        raise typer.Exit(REFUSED) from None
    _print({"valid": True, **_shown(claims)}, as_json=as_json)


def _keys(file: Path | None, base_url: str | None, data_dir: Path | None) -> PassKeys:
    if file is not None:
        try:
            text = file.read_text()
        except (OSError, ValueError) as error:
            raise _KeysUnreadableError(f"{file} cannot be read: {error}.") from None
        return _parsed(text, str(file))
    url = Api.address(_addresses(base_url, data_dir), PATH)
    try:
        answer = httpx.get(url, timeout=SECONDS, follow_redirects=False)
        answer.raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _KeysUnreadableError(f"The keys cannot be fetched: {error}") from None
    return _parsed(answer.text, url)


def _addresses(base_url: str | None, data_dir: Path | None) -> dict[str, str]:
    if base_url is not None:
        return {"client": base_url.rstrip("/")}
    data = data_dir_of(data_dir)
    state = data.read_state()
    if state is None or not data.is_running() or not {"client", "orders"} & state.addresses.keys():
        raise _KeysUnreadableError("Nothing is running here. Name a file (--keys) or an address (--base-url).")
    return state.addresses


def _parsed(text: str, where: str) -> PassKeys:
    try:
        return PassKeys.from_jwk_set(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise _KeysUnreadableError(f"{where} has no keys: {error}") from None


def _shown(claims: PassClaims) -> dict[str, str | int | None]:
    starts_at = claims.starts_at
    return {
        "pass": claims.pass_id,
        "ticket": claims.ticket_id,
        "seat": claims.seat,
        "startsAt": starts_at.isoformat().replace("+00:00", "Z") if starts_at else None,
    }


def _print(outcome: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(outcome) + "\n")
    elif outcome["valid"]:
        console.print("[green]✓[/] issued by this marketplace; only a check-in shows whether it is used or void")
        for name in ("pass", "ticket", "seat", "startsAt"):
            console.print(f"  {name:<8} {outcome[name] if outcome[name] is not None else 'no time'}")
    else:
        console.print(f"[bold red]✗[/] {escape(printable(outcome['reason']))}", soft_wrap=True)
