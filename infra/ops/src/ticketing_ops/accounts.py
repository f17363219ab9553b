"""`ticketing accounts`: what an operator does to one account."""

import json
import re
from typing import Annotated, Final

import nats.errors
import typer
from nats.aio.client import Client

from ticketing_common.delivery import END_SESSIONS
from ticketing_common.entity import ID_PATTERN

from .bus import DataDirOption, on_bus
from .console import console, fail

__all__ = ["accounts_app"]

ANSWER_SECONDS: Final = 30.0

accounts_app = typer.Typer(no_args_is_help=True, help="End the sessions of an account.")


@accounts_app.callback()
def _group() -> None:
    """Without this, typer would take the group's only command for the group."""


@accounts_app.command("end-sessions")
def end_sessions(
    account_id: Annotated[str, typer.Argument(metavar="ID", help="The account's id, as in the logs: 24 hex digits.")],
    data_dir: DataDirOption = None,
) -> None:
    """End every session and every API token of an account, at every service."""
    if not re.fullmatch(ID_PATTERN, account_id):
        fail("An account's id has 24 hex digits.")

    async def command(client: Client) -> None:
        try:
            answer = await client.request(END_SESSIONS, account_id.encode(), timeout=ANSWER_SECONDS)
        except nats.errors.NoRespondersError:
            fail("auth is not running: no subscriber for the request.")
        except (TimeoutError, nats.errors.Error):
            fail("auth does not answer: try again, which is harmless.")
        report = json.loads(answer.data)
        if "error" in report:
            fail(report["error"])
        console.print(report["done"])

    on_bus(data_dir, command)
