"""`ticketing mail`: the mails that the local mail server received. It reads their files, so no stack needs to run."""

import json
from typing import Annotated

import typer
from rich.table import Column, Table
from rich.text import Text

from ticketing_ops.console import console, fail, print_lines, printable
from ticketing_ops.data_dir import DataDirOption, data_dir_of
from ticketing_testkit.inbox import Inbox

mail_app = typer.Typer(no_args_is_help=True, help="The mails that the local mail server received.")


@mail_app.command("list")
def list_mails(
    data_dir: DataDirOption = None,
    limit: Annotated[int, typer.Option(help="The newest so many", min=1)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """List the newest mails."""
    mails = Inbox(data_dir_of(data_dir).server("mail")).mails(limit)
    if as_json:
        console.print_json(json.dumps([mail.facts() for mail in mails]))
        return
    if not mails:
        console.print("No mail yet.")
        return
    id_column = Column("id", no_wrap=True, min_width=len(mails[0].id))  # to be copied into `show`
    table = Table(id_column, "to", "subject", box=None, padding=(0, 2))
    for mail in mails:
        table.add_row(mail.id, Text(printable(mail.header("To"))), Text(printable(mail.header("Subject"))))
    console.print(table)


@mail_app.command("show")
def show_mail(
    mail_id: Annotated[str, typer.Argument(help="The id from `list`; `latest` is the newest mail")] = "latest",
    data_dir: DataDirOption = None,
) -> None:
    """Show the headers and the text of a mail."""
    inbox = Inbox(data_dir_of(data_dir).server("mail"))
    newest = inbox.ids()[:1]
    mail = inbox.find(newest[0] if newest and mail_id == "latest" else mail_id)
    if mail is None:
        fail("There is no such mail: `ticketing mail list` shows all.")
    for name in ("From", "To", "Subject", "Date", "Message-ID"):
        print_lines(f"{name}: {mail.header(name)}")
    text = mail.body("plain") or "(no text)"
    print_lines("\n" + "\n".join(text.splitlines()).rstrip())  # a mail has CRLF, which would be shown as an escape
