"""A tool for manual use: publishes events that are made up, golden, or recorded.

It uses no outbox, as a faulty producer would do, so that the reaction of the consumers can be observed.
"""

import json
import random
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import uuid4

import nats.js.errors
import typer
from nats.aio.client import Client

from ticketing_common.entity import new_id, utc_now
from ticketing_common.errors import PermanentError
from ticketing_common.events import CATALOGUE, parse_event
from ticketing_ops.bus import DataDirOption, on_bus
from ticketing_ops.console import console, fail

CONTRACTS: Final = Path(__file__).parent / "contracts"

app = typer.Typer(add_completion=False)


@app.command()
def publish(
    names: Annotated[list[str] | None, typer.Argument(help="order.created, or several; without: needs --from")] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="A field of the data: price_cents=100, ticket.title=Opera")
    ] = None,
    aggregate: Annotated[str | None, typer.Option("--id", help="The aggregate's id [a new one]")] = None,
    versions: Annotated[int, typer.Option(help="Publish this many versions in sequence", min=1)] = 1,
    times: Annotated[int, typer.Option(help="Publish each this many times", min=1)] = 1,
    same_id: Annotated[bool, typer.Option("--same-id", help="Use one message id: the broker drops duplicates")] = False,
    shuffle: Annotated[bool, typer.Option("--shuffle", help="Publish in random order")] = False,
    broken: Annotated[bool, typer.Option("--broken", help="Publish it although no consumer can parse it")] = False,
    recorded: Annotated[
        str | None, typer.Option("--from", help="A file with a body, or STREAM:12, or STREAM:12-40 as recorded")
    ] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Publish events and print their stream and sequence."""
    if bool(names) == bool(recorded):
        fail("Name an event, such as order.created, or give --from; not both.")

    async def command(client: Client) -> None:
        if recorded:
            stream, colon, numbers = recorded.partition(":")
            bodies = await _recorded(client, stream, numbers) if colon else [_read(Path(recorded))]
        else:
            bodies = [
                (name, _made_up(name, one, version, change or [], broken=broken))
                for name, one in [(name, aggregate or new_id()) for name in names or []]
                for version in range(1, versions + 1)
            ]
        messages = [message for message in bodies for _ in range(times)]
        if shuffle:
            random.shuffle(messages)
        for name, body in messages:
            await _send(client, name, body, same_id=same_id, broken=broken)

    on_bus(data_dir, command)


def _made_up(name: str, aggregate: str, version: int, changes: list[str], *, broken: bool) -> dict[str, Any]:
    """The golden body of this event name as a new event, with the requested changes."""
    if name not in CATALOGUE:
        fail(f"No event is called {name!r}; there are {', '.join(CATALOGUE)}.")
    body: dict[str, Any] = json.loads((CONTRACTS / f"{name}.json").read_text())
    body |= {"id": uuid4().hex, "subject": aggregate, "time": utc_now().isoformat()}
    body["data"] |= {"id": aggregate, "version": version}
    for change in changes:
        path, equals, text = change.partition("=")
        *outer, field = path.split(".")
        place = body["data"]
        for part in outer:
            place = place.get(part)
            if not isinstance(place, dict):
                fail(f"{name} has no {path}.")
        if not equals:
            fail(f"{change!r} sets nothing: write field=value.")
        if field not in place and not broken:
            fail(f"{name} has no {path}, and consumers would ignore it (--broken publishes it anyway).")
        place[field] = _value(text)
    return body


def _value(text: str) -> Any:
    """The value as JSON if it is valid (100, null, true), otherwise as text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


async def _recorded(client: Client, stream: str, numbers: str) -> list[tuple[str, dict[str, Any]]]:
    first, _, last = numbers.partition("-")
    if not first.isdecimal() or not (last or first).isdecimal():
        fail(f"{numbers!r} is not a position in a stream: write ORDERS:12 or ORDERS:12-40.")
    found = []
    for sequence in range(int(first), int(last or first) + 1):
        try:
            message = await client.jetstream().get_msg(stream, sequence)
        except nats.js.errors.NotFoundError:
            continue
        try:
            found.append((str(message.subject).rpartition(".")[0], json.loads(message.data or b"")))
        except ValueError:
            fail(f"{stream} #{sequence} is not JSON and not an event.")
    if not found:
        fail(f"There is nothing at {stream}:{numbers}.")
    return found


def _read(file: Path) -> tuple[str, dict[str, Any]]:
    try:
        body: dict[str, Any] = json.loads(file.read_text())
        return body["type"].removeprefix("dev.ticketing.").rpartition(".v")[0], body
    except (OSError, ValueError, KeyError) as error:
        fail(f"{file} holds no event: {error}.")


async def _send(client: Client, name: str, body: dict[str, Any], *, same_id: bool, broken: bool) -> None:
    subject, data = f"{name}.{body.get('subject')}", json.dumps(body).encode()
    try:
        parse_event(subject, data)
    except PermanentError as error:
        if not broken:
            fail(f"No consumer could parse this (--broken publishes it anyway): {error}")
    # Each publication gets a new message id; otherwise the broker would drop repetitions.
    message_id = body["id"] if same_id else uuid4().hex
    ack = await client.jetstream().publish(subject, data, headers={"Nats-Msg-Id": message_id})
    dropped = " [yellow]dropped: duplicate message id[/]" if ack.duplicate else ""
    console.print(f"{subject} v{body['data'].get('version')} → {ack.stream} #{ack.seq}{dropped}", soft_wrap=True)


if __name__ == "__main__":
    app()
