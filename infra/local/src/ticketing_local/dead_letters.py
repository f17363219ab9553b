"""`ticketing dead-letters`: events that could not be handled, to read, send again, or forget."""

from datetime import UTC, datetime
from typing import Final

import nats.js.errors
import typer
from nats.aio.client import Client

from ticketing_common.delivery.dead_letters import DeadLetter
from ticketing_common.entity import utc_now
from ticketing_common.events.subjects import DEAD_LETTERS

from .bus import DataDirOption, age_text, on_bus
from .console import console, fail

__all__ = ["dead_letters_app"]

NEXT_SECONDS: Final = 5.0

dead_letters_app = typer.Typer(no_args_is_help=True, help="Events that could not be handled.")


async def _letters(client: Client) -> list[tuple[int, DeadLetter]]:
    js = client.jetstream()
    try:
        state = (await js.stream_info(DEAD_LETTERS)).state
    except nats.js.errors.NotFoundError:
        return []
    if not state.messages:
        return []
    subscription = await js.subscribe("", stream=DEAD_LETTERS, ordered_consumer=True)
    found = []
    for _ in range(state.messages):
        message = await subscription.next_msg(timeout=NEXT_SECONDS)
        found.append((message.metadata.sequence.stream, DeadLetter.model_validate_json(message.data)))
    await subscription.unsubscribe()
    return found


async def _letter(client: Client, number: int) -> DeadLetter:
    try:
        message = await client.jetstream().get_msg(DEAD_LETTERS, number)
    except nats.js.errors.NotFoundError:
        fail(f"There is no dead letter {number}.")
    return DeadLetter.model_validate_json(message.data or b"")


@dead_letters_app.command("list")
def list_letters(data_dir: DataDirOption = None) -> None:
    """One line each; the number is what the other commands take."""

    async def command(client: Client) -> None:
        letters = await _letters(client)
        for number, letter in letters:
            age = (datetime.now(UTC) - letter.at).total_seconds()
            console.print(
                f"{number:>5}  [dim]{age_text(age):>6}[/]  {letter.consumer:<20} {letter.subject}  "
                f"after {letter.attempts}: [red]{letter.error.splitlines()[0][:100]}[/]",
                soft_wrap=True,
            )
        if not letters:
            console.print("No dead letters.")

    on_bus(data_dir, command)


@dead_letters_app.command()
def show(number: int, data_dir: DataDirOption = None) -> None:
    """All that is known of one: body, headers, error, stack."""

    async def command(client: Client) -> None:
        console.print_json((await _letter(client, number)).model_dump_json())

    on_bus(data_dir, command)


@dead_letters_app.command()
def replay(number: int, data_dir: DataDirOption = None) -> None:
    """Put the event on the bus again, after what it died of has been mended; then forget the letter.

    Every consumer of its stream gets it; those that had it already ignore it, as they do any duplicate.
    """

    async def command(client: Client) -> None:
        letter = await _letter(client, number)
        headers = {name: value for name, value in letter.headers.items() if not name.startswith("Nats-")}
        # An id of its own: under the old one the broker would take it for a duplicate.
        headers["Nats-Msg-Id"] = f"replay:{letter.id}:{letter.attempts}:{int(utc_now().timestamp())}"
        js = client.jetstream()
        ack = await js.publish(letter.subject, letter.body.encode(), headers=headers)
        await js.delete_msg(DEAD_LETTERS, number)
        console.print(f"{letter.subject} is on the bus again as {ack.stream} #{ack.seq}.")

    on_bus(data_dir, command)


@dead_letters_app.command()
def discard(number: int, data_dir: DataDirOption = None) -> None:
    """Forget one for good."""

    async def command(client: Client) -> None:
        await _letter(client, number)
        await client.jetstream().delete_msg(DEAD_LETTERS, number)
        console.print(f"Dead letter {number} is gone.")

    on_bus(data_dir, command)
