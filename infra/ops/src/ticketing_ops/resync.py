"""`ticketing resync`: owners publish their present state again, so that incomplete projections become complete."""

import json
from typing import Annotated, Final

import nats.errors
import typer
from nats.aio.client import Client

from ticketing_common.delivery.resync import resync_subject
from ticketing_common.topology import OWNERS

from .bus import DataDirOption, on_bus
from .console import console, fail

REPORT_SECONDS: Final = 30.0
NAMES: Final = tuple(owner.name for owner in OWNERS.values())


def resync(
    service: Annotated[str | None, typer.Argument(help=f"One of {', '.join(NAMES)}; all when left out.")] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Make owners publish the present state of all aggregates again, so that every projection becomes complete."""
    if service is not None and service not in NAMES:
        fail(f"{service} owns no events; there are {', '.join(NAMES)}.")

    async def command(client: Client) -> None:
        for owner in (service,) if service else NAMES:
            await _resync_one(client, owner)

    on_bus(data_dir, command)


async def _resync_one(client: Client, owner: str) -> None:
    inbox = client.new_inbox()
    answers = await client.subscribe(inbox)
    await client.publish(resync_subject(owner), b"", reply=inbox)
    with console.status(f"{owner}: requested") as shown:
        while True:
            try:
                message = await answers.next_msg(timeout=REPORT_SECONDS)
            except (TimeoutError, nats.errors.Error):
                fail(f"{owner} does not answer: is it running?")
            if (message.headers or {}).get("Status") == "503":
                fail(f"{owner} is not running: no subscriber for the request.")
            report = json.loads(message.data)
            if report["done"]:
                break
            shown.update(f"{owner}: {report['restated']} so far")
    await answers.unsubscribe()
    if "error" in report:
        fail(f"{owner}: {report['error']}")
    console.print(f"{owner}: {report['restated']} published again")
