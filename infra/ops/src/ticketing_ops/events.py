"""`ticketing events`: show the events on the bus."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import nats.js.errors
import typer
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig, DeliverPolicy

from ticketing_common.entity import utc_now
from ticketing_common.topology import STREAM_SUBJECTS

from .bus import DataDirOption, age_text, on_bus
from .console import console, fail, shown

events_app = typer.Typer(no_args_is_help=True, help="Show the events on the bus.")

_COLOURS: Final = {"ticket": "cyan", "order": "green", "payment": "magenta", "expiration": "yellow"}


@events_app.command()
def tail(
    subject: Annotated[str, typer.Option(help="For instance order.> or *.created.*")] = ">",
    since: Annotated[str, typer.Option(help="How far back to begin: 30s, 15m, 2h, 1d, or all")] = "0s",
    follow: Annotated[bool, typer.Option(help="Continue with new events")] = True,
    data_dir: DataDirOption = None,
) -> None:
    """Print one line for each event: age, subject, version, data."""
    start = since_time(since)

    async def command(client: Client) -> None:
        async for message in messages(client, STREAM_SUBJECTS, subject, start, follow=follow):
            console.print(line(message), soft_wrap=True)

    on_bus(data_dir, command)


async def messages(
    client: Client, streams: Iterable[str], subject: str, start: datetime | None, *, follow: bool
) -> AsyncIterator[Msg]:
    """The messages of these streams that match `subject`, in the order of arrival; those to come only with `follow`."""
    queue: asyncio.Queue[Msg] = asyncio.Queue()
    pending = 0
    for stream in streams:
        pending += await _begin(client, stream, start, queue)
    while follow or pending:
        message = await queue.get()
        pending -= 1
        if matches(subject, message.subject):
            yield message


async def _begin(client: Client, stream: str, start: datetime | None, queue: "asyncio.Queue[Msg]") -> int:
    """Deliver a stream into the queue; returns the number of its events that are already stored."""
    config = ConsumerConfig(deliver_policy=DeliverPolicy.ALL)
    if start is not None:
        config = ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_TIME, opt_start_time=start)
    try:
        subscription = await client.jetstream().subscribe(
            "", stream=stream, cb=queue.put, ordered_consumer=True, config=config
        )
        info = await subscription.consumer_info()
        # Some may have been delivered before this request.
        return int(info.num_pending or 0) + (info.delivered.consumer_seq if info.delivered else 0)
    except nats.js.errors.NotFoundError:
        return 0


def since_time(text: str) -> datetime | None:
    """The time (UTC) that was `15m` ago, or None for `all`; any other text ends the command with an error."""
    if text == "all":
        return None
    units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
    if not text[:-1].isdigit() or text[-1] not in units:
        fail(f"{text!r} is not a time span: write 30s, 15m, 2h, 1d, or all.")
    return utc_now() - timedelta(**{units[text[-1]]: int(text[:-1])})


def matches(pattern: str, subject: str) -> bool:
    """Match NATS wildcards: `*` is one token, `>` is one or more tokens at the end."""
    wanted, found = pattern.split("."), subject.split(".")
    for index, part in enumerate(wanted):
        if part == ">":
            return len(found) > index
        if index >= len(found) or part not in ("*", found[index]):
            return False
    return len(wanted) == len(found)


def line(message: Msg) -> str:
    """One message in Rich's markup. A message that is not an event is marked, so that it does not end the command."""
    try:
        return _event_line(message)
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"[red]not an event[/] {shown(message.subject)} [dim]#{message.metadata.sequence.stream}[/]"


def _event_line(message: Msg) -> str:
    event = json.loads(message.data)
    name, _, aggregate_id = message.subject.rpartition(".")
    age = (datetime.now(UTC) - datetime.fromisoformat(event["time"])).total_seconds()
    data = event["data"]
    facts = {
        key: value
        for key, value in data.items()
        if key not in ("id", "version", "created_at", "description") and value is not None
    }
    fields = " ".join(f"[dim]{shown(key)}[/]={_short(value)}" for key, value in facts.items())
    colour = _COLOURS.get(name.partition(".")[0], "white")
    about = f"[{colour}]{shown(name):<21}[/] {shown(aggregate_id)} v{data['version']:<3d}"
    return f"[dim]{age_text(age):>6}[/] {about} {fields} [dim]#{message.metadata.sequence.stream}[/]"


def _short(value: object) -> str:
    return shown(str(value.get("id", "…") if isinstance(value, dict) else value))
