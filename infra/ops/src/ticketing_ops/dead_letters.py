"""`ticketing dead-letters`: list, show, replay or discard events that no consumer could handle."""

from typing import Annotated, Final

import nats.js.errors
import typer
from nats.aio.client import Client
from nats.js.api import RawStreamMsg

from ticketing_common.delivery.advisories import Advisory, given_up
from ticketing_common.delivery.dead_letters import DeadLetter
from ticketing_common.entity import utc_now
from ticketing_common.topology import ADVISORIES, DEAD_LETTERS

from .bus import DataDirOption, age_text, on_bus
from .console import console, fail, print_lines, shown

NEXT_SECONDS: Final = 5.0
ADVISORY_MARK: Final = "a"

dead_letters_app = typer.Typer(no_args_is_help=True, help="Events that could not be handled.")

Reference = Annotated[str, typer.Argument(metavar="NUMBER", help="As `list` shows it: 12, or a12 for an advisory")]


@dead_letters_app.command("list")
def list_letters(data_dir: DataDirOption = None) -> None:
    """Print one line for each; the other commands take its number.

    A number with an `a` is an advisory: the broker stopped delivering that event, and no consumer stored it as a
    dead letter.
    """

    async def command(client: Client) -> None:
        letters = await _letters(client)
        for number, letter in letters:
            console.print(
                f"{number:>5}  [dim]{age_text((utc_now() - letter.at).total_seconds()):>6}[/]  {letter.consumer:<20} "
                f"{shown(letter.subject)}  after {letter.attempts}: [red]{shown(_first_line(letter.error))}[/]",
                soft_wrap=True,
            )
        advisories = await given_up(client.jetstream())
        for number, advisory in advisories:
            console.print(
                f"{ADVISORY_MARK + str(number):>5}  [dim]{age_text((utc_now() - advisory.at).total_seconds()):>6}[/]  "
                f"{advisory.consumer:<20} {advisory.stream} #{advisory.sequence}  after {advisory.deliveries}: "
                f"[red]given up by the broker, not by a consumer[/]",
                soft_wrap=True,
            )
        if not letters and not advisories:
            console.print("No dead letters.")

    on_bus(data_dir, command)


@dead_letters_app.command()
def show(number: Reference, data_dir: DataDirOption = None) -> None:
    """Show one in full: body, headers, error and stack trace."""

    async def command(client: Client) -> None:
        stream, sequence = _place(number)
        found = await _kept(client, stream, sequence)
        _print_json((found.data or b"").decode(errors="replace"))
        if stream == ADVISORIES:
            event = await _event_of(client, found)
            console.print(f"{shown(str(event.subject))}, which is still in its stream:")
            print_lines((event.data or b"").decode(errors="replace"))

    on_bus(data_dir, command)


@dead_letters_app.command()
def replay(number: Reference, data_dir: DataDirOption = None) -> None:
    """Publish the event again after its cause has been repaired; then delete the dead letter.

    Every consumer of its stream receives it; those that have handled it ignore it as a duplicate.
    """

    async def command(client: Client) -> None:
        stream, sequence = _place(number)
        found = await _kept(client, stream, sequence)
        if stream == ADVISORIES:
            event = await _event_of(client, found)
            subject, body, headers = str(event.subject), event.data or b"", dict(event.headers or {})
            name = Advisory.model_validate_json(found.data or b"").id
        else:
            letter = DeadLetter.model_validate_json(found.data or b"")
            subject, body, headers, name = letter.subject, letter.body.encode(), letter.headers, letter.id
        headers = {header: value for header, value in headers.items() if not header.startswith("Nats-")}
        # A new message id, because the broker would drop the old one as a duplicate. It is deterministic, so that a
        # replay that was interrupted before the dead letter was deleted can be repeated.
        headers["Nats-Msg-Id"] = f"replay:{name}"
        js = client.jetstream()
        ack = await js.publish(subject, body, headers=headers)
        await js.delete_msg(stream, sequence)
        console.print(f"{shown(subject)} is on the bus again as {ack.stream} #{ack.seq}.", soft_wrap=True)

    on_bus(data_dir, command)


@dead_letters_app.command()
def discard(number: Reference, data_dir: DataDirOption = None) -> None:
    """Delete one for ever."""

    async def command(client: Client) -> None:
        stream, sequence = _place(number)
        await _kept(client, stream, sequence)
        await client.jetstream().delete_msg(stream, sequence)
        console.print(f"Dead letter {number} is deleted.")

    on_bus(data_dir, command)


def _first_line(error: str) -> str:
    return (error.splitlines() or [""])[0][:100]


def _print_json(text: str) -> None:
    """Print JSON in ASCII, so that control characters become JSON escapes; print other text line by line."""
    try:
        console.print_json(text, ensure_ascii=True)
    except ValueError:
        print_lines(text)


def _place(number: str) -> tuple[str, int]:
    """The stream and sequence that a number of `list` refers to."""
    digits = number.removeprefix(ADVISORY_MARK)
    if not digits.isdecimal():
        fail(f"{number!r} is not the number of a dead letter: `ticketing dead-letters list` shows them.")
    return ADVISORIES if number.startswith(ADVISORY_MARK) else DEAD_LETTERS, int(digits)


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


async def _kept(client: Client, stream: str, sequence: int) -> RawStreamMsg:
    try:
        return await client.jetstream().get_msg(stream, sequence)
    except nats.js.errors.NotFoundError:
        mark = ADVISORY_MARK if stream == ADVISORIES else ""
        fail(f"There is no dead letter {mark}{sequence}.")


async def _event_of(client: Client, kept: RawStreamMsg) -> RawStreamMsg:
    """The event that an advisory refers to."""
    advisory = Advisory.model_validate_json(kept.data or b"")
    try:
        return await client.jetstream().get_msg(advisory.stream, advisory.sequence)
    except nats.js.errors.NotFoundError:
        fail(
            f"{advisory.stream} #{advisory.sequence} is no longer in its stream. Run `ticketing resync` to publish the "
            f"present state again; then `ticketing dead-letters discard` this."
        )
