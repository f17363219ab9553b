"""The commands that use the event bus, run with their real arguments."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import nats
import pytest
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, RePublish
from typer.testing import CliRunner, Result

from ticketing_common.delivery import DeadLetter
from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import ExpirationCompleted, ExpirationData
from ticketing_common.messaging import ensure_stream, stream_config
from ticketing_common.topology import DEAD_LETTERS, EXPIRATIONS, SAFETY_NETS, STREAM_SUBJECTS
from ticketing_ops.cli import app
from ticketing_testkit.waiting import until

Act = Callable[[Callable[[JetStreamContext], Awaitable[Any]]], Any]
Run = Callable[..., Result]


@pytest.fixture
def act(nats_url: str) -> Act:
    """Runs an action on the bus, as a service does."""

    def on_bus(action: Callable[[JetStreamContext], Awaitable[Any]]) -> Any:
        async def connected() -> Any:
            client = await nats.connect(nats_url)
            try:
                return await action(client.jetstream())
            finally:
                await client.close()

        return asyncio.run(connected())

    return on_bus


@pytest.fixture
def ticketing(nats_url: str, act: Act) -> Run:
    """Runs the command on a bus that has all streams."""

    async def declare(js: JetStreamContext) -> None:
        for name in (*STREAM_SUBJECTS, *SAFETY_NETS):
            await ensure_stream(js, stream_config(name, replicas=1))

    act(declare)
    runner = CliRunner(env={"NATS_URL": nats_url, "COLUMNS": "300", "NO_COLOR": "1"})
    return lambda *arguments: runner.invoke(app, arguments)


def an_event() -> ExpirationCompleted:
    aggregate = new_id()
    return ExpirationCompleted.of(ExpirationData(id=aggregate, version=1, order_id=aggregate, expires_at=utc_now()))


def store_dead_letter(
    act: Act, event: ExpirationCompleted, *, error: str = "ValueError: no such order", body: str = ""
) -> DeadLetter:
    letter = DeadLetter(
        consumer="orders-expirations",
        stream=EXPIRATIONS,
        sequence=7,
        subject=event.nats_subject,
        headers={"Nats-Msg-Id": event.id, "traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01"},
        body=body or event.to_json().decode(),
        error=error,
        stack="Traceback …",
        attempts=10,
        at=utc_now(),
    )

    publish(act, ("dead_letters.orders-expirations", letter.model_dump_json().encode()))
    return letter


def given_up_by_the_broker(act: Act, event: ExpirationCompleted) -> None:
    async def exhaust(js: JetStreamContext) -> None:
        config = ConsumerConfig(durable_name="orders-expirations", ack_policy=AckPolicy.EXPLICIT, max_deliver=1)
        await js.add_consumer(EXPIRATIONS, config)
        await js.publish(event.nats_subject, event.to_json(), headers={"Nats-Msg-Id": event.id})
        subscription = await js.pull_subscribe_bind("orders-expirations", stream=EXPIRATIONS)
        (message,) = await subscription.fetch(1)
        await message.nak()
        with pytest.raises(TimeoutError):
            await subscription.fetch(1, timeout=0.5)  # the broker checks the limit only on the next pull

        async def reported() -> bool:
            return bool((await js.stream_info("ADVISORIES")).state.messages)

        await until(reported)

    act(exhaust)


def publish(act: Act, *messages: tuple[str, bytes]) -> None:
    """Publish bodies by subject."""

    async def publish_all(js: JetStreamContext) -> None:
        for subject, body in messages:
            await js.publish(subject, body)

    act(publish_all)


def bodies(act: Act, stream: str) -> list[Any]:
    async def read(js: JetStreamContext) -> list[Any]:
        state = (await js.stream_info(stream)).state
        numbers = range(max(1, state.first_seq), state.last_seq + 1) if state.messages else ()
        return [json.loads((await js.get_msg(stream, number)).data or b"") for number in numbers]

    found: list[Any] = act(read)
    return found


def test_without_dead_letters_the_list_says_so(ticketing: Run) -> None:
    assert ticketing("dead-letters", "list").output == "No dead letters.\n"


def test_a_dead_letter_is_listed_shown_and_discarded(ticketing: Run, act: Act) -> None:
    event = an_event()
    letter = store_dead_letter(act, event)

    listed = ticketing("dead-letters", "list").output
    assert listed.split()[0] == "1"
    assert f"{letter.consumer}   {letter.subject}  after 10: ValueError: no such order" in listed
    shown = json.loads(ticketing("dead-letters", "show", "1").output)
    assert DeadLetter.model_validate(shown) == letter
    assert ticketing("dead-letters", "discard", "1").exit_code == 0
    assert ticketing("dead-letters", "list").output == "No dead letters.\n"


def test_a_replayed_dead_letter_is_published_again_and_deleted(ticketing: Run, act: Act) -> None:
    event = an_event()
    letter = store_dead_letter(act, event)

    replayed = ticketing("dead-letters", "replay", "1")

    assert replayed.output == f"{letter.subject} is on the bus again as {EXPIRATIONS} #1.\n"
    assert bodies(act, EXPIRATIONS) == [json.loads(event.to_json())]
    assert bodies(act, DEAD_LETTERS) == []


def test_an_interrupted_replay_can_be_repeated(ticketing: Run, act: Act) -> None:
    event = an_event()
    store_dead_letter(act, event)
    store_dead_letter(act, event)

    for number in ("1", "2"):
        assert ticketing("dead-letters", "replay", number).exit_code == 0

    assert bodies(act, EXPIRATIONS) == [json.loads(event.to_json())]


def test_an_event_that_the_broker_gave_up_is_listed_and_can_be_replayed(ticketing: Run, act: Act) -> None:
    event = an_event()
    given_up_by_the_broker(act, event)

    listed = ticketing("dead-letters", "list").output
    assert listed.split()[0] == "a1"
    assert "orders-expirations" in listed
    assert event.nats_subject in ticketing("dead-letters", "show", "a1").output
    replayed = ticketing("dead-letters", "replay", "a1")

    assert replayed.output == f"{event.nats_subject} is on the bus again as {EXPIRATIONS} #2.\n"
    assert bodies(act, EXPIRATIONS) == [json.loads(event.to_json())] * 2
    assert ticketing("dead-letters", "list").output == "No dead letters.\n"


@pytest.mark.parametrize("command", ["show", "replay", "discard"])
@pytest.mark.parametrize("number", ["9", "a9", "x"])
def test_an_unknown_number_is_a_clear_error(ticketing: Run, command: str, number: str) -> None:
    answer = ticketing("dead-letters", command, number)
    assert answer.exit_code == 1
    assert len(answer.output.splitlines()) == 1


def test_the_tail_prints_and_filters_events(ticketing: Run, act: Act) -> None:
    first, second = an_event(), an_event()
    publish(act, *((event.nats_subject, event.to_json()) for event in (first, second)))

    everything = ticketing("events", "tail", "--since", "all", "--no-follow").output.splitlines()
    assert [line.split()[1:4] for line in everything] == [
        ["expiration.completed", first.subject, "v1"],
        ["expiration.completed", second.subject, "v1"],
    ]
    one = ticketing("events", "tail", "--since", "1h", "--no-follow", "--subject", f"*.*.{second.subject}").output
    assert [line.split()[2] for line in one.splitlines()] == [second.subject]
    assert ticketing("events", "tail", "--since", "soon").exit_code == 1


def test_a_resync_without_a_subscriber_is_a_clear_error(ticketing: Run) -> None:
    answer = ticketing("resync", "tickets")
    assert answer.exit_code == 1
    assert "tickets is not running" in answer.output
    assert "owns no events" in ticketing("resync", "worker").output


@pytest.mark.parametrize("body", [b"\xff", b"[]", b'{"time": "2026-11-23T12:00:00Z", "data": []}'])
def test_the_tail_continues_after_a_message_that_is_not_an_event(ticketing: Run, act: Act, body: bytes) -> None:
    following = an_event()
    publish(act, (f"expiration.completed.{new_id()}", body), (following.nats_subject, following.to_json()))
    shown = ticketing("events", "tail", "--since", "all", "--no-follow")

    first, second = shown.output.splitlines()
    assert shown.exit_code == 0
    assert first.startswith("not an event expiration.completed.")
    assert following.subject in second


HOSTILE = "\x1b]0;owned\x07 \x9b31m \u202egnirts \u2066 [bold]loud[/] \u2028\n\r next"


def assert_harmless(output: str) -> None:
    """The output has no control sequence for a terminal and no change of direction."""
    assert [f"U+{ord(one):04X}" for one in output if one != "\n" and not one.isprintable()] == []
    assert "[bold]loud[/]" in output


def test_the_tail_escapes_control_characters(ticketing: Run, act: Act) -> None:
    event = an_event()
    body = json.loads(event.to_json())
    body["data"]["title"] = HOSTILE
    body["data"][HOSTILE] = "as a name"
    publish(act, (event.nats_subject, json.dumps(body).encode()), ("expiration.\u202e.x", b"no event"))
    shown = ticketing("events", "tail", "--since", "all", "--no-follow").output

    assert_harmless(shown)
    assert "\\x1b]0;owned\\x07 \\x9b31m \\u202egnirts" in shown
    assert len(shown.splitlines()) == 2


def test_dead_letters_escape_control_characters(ticketing: Run, act: Act) -> None:
    store_dead_letter(act, an_event(), error=HOSTILE, body=json.dumps({"title": HOSTILE}, ensure_ascii=False))

    for command in (["list"], ["show", "1"]):
        assert_harmless(ticketing("dead-letters", *command).output)


def test_streams_that_differ_are_reported_and_corrected(ticketing: Run, act: Act) -> None:
    async def change(js: JetStreamContext) -> None:
        republish = RePublish(src="expiration.>", dest="order.completed.>")
        await js.update_stream(replace(stream_config(EXPIRATIONS, replicas=1), republish=republish))
        await js.delete_stream(DEAD_LETTERS)

    act(change)

    found = ticketing("streams", "check")
    assert found.exit_code == 1
    assert "EXPIRATIONS.republish" in found.output
    assert "DEAD_LETTERS does not exist" in found.output
    assert ticketing("streams", "apply").exit_code == 0
    assert ticketing("streams", "check").exit_code == 0


def test_a_stream_that_cannot_be_corrected_is_reported_and_the_others_are_corrected(ticketing: Run, act: Act) -> None:
    async def change(js: JetStreamContext) -> None:
        await js.update_stream(replace(stream_config(EXPIRATIONS, replicas=1), sealed=True))
        await js.delete_stream(DEAD_LETTERS)

    act(change)

    refused = ticketing("streams", "apply")
    assert refused.exit_code == 1
    assert "sealed" in refused.output
    assert "DEAD_LETTERS" not in ticketing("streams", "check").output
