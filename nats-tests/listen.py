"""A tool for manual use: prints each event on the bus with its headers and its full body."""

import json
from typing import Annotated

import typer
from nats.aio.client import Client
from nats.aio.msg import Msg
from rich.markup import escape

from ticketing_common.topology import SAFETY_NETS, STREAM_SUBJECTS
from ticketing_ops.bus import DataDirOption, on_bus
from ticketing_ops.console import console, print_lines, printable
from ticketing_ops.events import line, messages, since_time

app = typer.Typer(add_completion=False)


@app.command()
def listen(
    subject: Annotated[str, typer.Argument(help="For instance 'order.>' or '*.created.*'")] = ">",
    since: Annotated[str, typer.Option(help="How far back to begin: 30s, 15m, 2h, 1d, or all")] = "0s",
    follow: Annotated[bool, typer.Option(help="Continue with new events")] = True,
    count: Annotated[int, typer.Option(help="End after this number of events; 0: never", min=0)] = 0,
    nets: Annotated[bool, typer.Option("--nets", help="Dead letters and the broker's advisories too")] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Print messages in full. `ticketing events tail` prints one line for each."""
    start = since_time(since)

    async def command(client: Client) -> None:
        streams = (*STREAM_SUBJECTS, *(SAFETY_NETS if nets else ()))
        left = count
        async for message in messages(client, streams, subject, start, follow=follow):
            _show(message)
            left -= 1
            if left == 0:
                return

    on_bus(data_dir, command)


def _show(message: Msg) -> None:
    console.print(line(message), soft_wrap=True)
    for name, value in (message.headers or {}).items():
        console.print(f"       [dim]{escape(printable(f'{name}: {value}'))}[/]", soft_wrap=True)
    try:
        console.print_json(json.dumps(json.loads(message.data)), ensure_ascii=True)
    except ValueError:
        print_lines(message.data.decode(errors="replace"))


if __name__ == "__main__":
    app()
