"""`ticketing accounts`: what an operator does to one account."""

import json
import re
from typing import Annotated, Final

import nats.errors
import typer
from nats.aio.client import Client

from ticketing_common.delivery import END_SESSIONS, RESET_FACTOR
from ticketing_common.entity import ID_PATTERN

from .bus import DataDirOption, on_bus
from .console import console, fail

ANSWER_SECONDS: Final = 30.0

AccountId = Annotated[str, typer.Argument(metavar="ID", help="The account's id, as in the logs: 24 hex digits.")]

accounts_app = typer.Typer(no_args_is_help=True, help="End the sessions of an account, or turn its second factor off.")


@accounts_app.command("end-sessions")
def end_sessions(account_id: AccountId, data_dir: DataDirOption = None) -> None:
    """End every session and every API token of an account, at every service."""
    _command(END_SESSIONS, account_id, data_dir)


@accounts_app.command("reset-factor")
def reset_factor(account_id: AccountId, data_dir: DataDirOption = None) -> None:
    """Turn the second factor of an account off, whose owner has lost it and every recovery code; its sessions end.

    Check first that the request comes from the owner: from now on the password alone signs in.
    """
    _command(RESET_FACTOR, account_id, data_dir)


def _command(subject: str, account_id: str, data_dir: DataDirOption) -> None:
    if not re.fullmatch(ID_PATTERN, account_id):
        fail("An account's id has 24 hex digits.")

    async def command(client: Client) -> None:
        try:
            answer = await client.request(subject, account_id.encode(), timeout=ANSWER_SECONDS)
        except nats.errors.NoRespondersError:
            fail("auth is not running: no subscriber for the request.")
        except (TimeoutError, nats.errors.Error):
            fail("auth does not answer: try again, which is harmless.")
        report = json.loads(answer.data)
        if "error" in report:
            fail(report["error"])
        console.print(report["done"])

    on_bus(data_dir, command)
