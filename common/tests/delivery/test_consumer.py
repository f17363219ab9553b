import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from itertools import pairwise
from typing import Any

import pytest

from ticketing_common.delivery import Consumer, DeadLetter
from ticketing_common.delivery import handling as handling_module
from ticketing_common.delivery.advisories import given_up
from ticketing_common.entity import new_id
from ticketing_common.errors import PermanentError, UnavailableError
from ticketing_common.events import ExpirationCompleted
from ticketing_common.messaging import NatsConnection
from ticketing_common.topology import DEAD_LETTERS, EXPIRATIONS
from ticketing_testkit.apps import Bus
from ticketing_testkit.waiting import until

Consume = Callable[..., AbstractAsyncContextManager[Consumer]]
Condition = Callable[[], Awaitable[bool]]
MakeEvent = Callable[..., ExpirationCompleted]
Handling = Callable[..., Any]
DURABLE = "orders-expirations"


async def letters(bus: Bus) -> list[DeadLetter]:
    state = (await bus.js.stream_info(DEAD_LETTERS)).state
    messages = [
        await bus.js.get_msg(DEAD_LETTERS, sequence) for sequence in range(1, state.last_seq + 1) if state.messages
    ]
    return [DeadLetter.model_validate_json(message.data or b"") for message in messages]


async def test_an_event_is_handled_once_and_acknowledged(
    connection: NatsConnection,
    bus: Bus,
    consume: Consume,
    event: MakeEvent,
    handling: Handling,
    all_settled: Condition,
) -> None:
    handled, sent = handling(), event()
    await bus.publish(sent)

    async with consume(connection, handled):
        await until(handled.holds(1))
        await until(all_settled)

    assert handled.versions == [(sent.data.id, 1)]
    assert (await bus.js.consumer_info(EXPIRATIONS, DURABLE)).num_redelivered == 0


async def test_a_consumer_waits_for_its_stream(
    connection: NatsConnection,
    nats_url: str,
    bus: Bus,
    consume: Consume,
    event: MakeEvent,
    handling: Handling,
) -> None:
    await bus.js.delete_stream(EXPIRATIONS)
    handled = handling()
    async with consume(connection, handled) as consumer:
        assert not consumer.bound

        async with Bus.connect(nats_url):  # declares all streams
            await bus.publish(event())
            await until(handled.holds(1))
        assert consumer.bound


async def test_the_handler_runs_in_the_trace_of_the_request_that_caused_the_event(
    connection: NatsConnection, bus: Bus, consume: Consume, event: MakeEvent, handling: Handling
) -> None:
    handled, sent = handling(), event()
    headers = {"Nats-Msg-Id": sent.id, "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    await bus.js.publish(sent.nats_subject, sent.to_json(), headers=headers)

    async with consume(connection, handled):
        await until(handled.holds(1))

    assert handled.traces == ["a" * 32]


async def test_events_of_one_aggregate_are_handled_in_order(
    connection: NatsConnection, bus: Bus, consume: Consume, event: MakeEvent
) -> None:
    ids = [new_id() for _ in range(5)]
    for version in range(1, 9):
        for aggregate_id in ids:
            await bus.publish(event(aggregate_id, version))
    begun: list[str] = []
    seen: dict[str, list[int]] = {aggregate_id: [] for aggregate_id in ids}

    async def slow(one: ExpirationCompleted) -> None:
        assert one.data.id not in begun, "two of one aggregate at once"
        begun.append(one.data.id)
        await asyncio.sleep(0.001 * (one.data.version % 3))
        begun.remove(one.data.id)
        seen[one.data.id].append(one.data.version)

    async def all_seen() -> bool:
        return sum(map(len, seen.values())) == 40

    async with consume(connection, slow):
        await until(all_seen)

    assert all(versions == list(range(1, 9)) for versions in seen.values())


async def test_a_temporary_failure_is_redelivered_with_growing_delays(
    connection: NatsConnection,
    bus: Bus,
    monkeypatch: pytest.MonkeyPatch,
    consume: Consume,
    event: MakeEvent,
    all_settled: Condition,
) -> None:
    monkeypatch.setattr(handling_module, "FIRST_DELAY_SECONDS", 0.1)
    times: list[float] = []

    async def fails_thrice(_one: ExpirationCompleted) -> None:
        times.append(asyncio.get_running_loop().time())
        if len(times) < 4:
            raise RuntimeError("not yet")

    await bus.publish(event())
    async with consume(connection, fails_thrice, ack_wait=60):  # which no attempt can have waited for

        async def four_times() -> bool:
            return len(times) == 4

        await until(four_times)
        await until(all_settled)

    first, second, third = (later - earlier for earlier, later in pairwise(times))
    assert first >= 0.08
    assert second >= 0.16
    assert third >= 0.32
    assert await letters(bus) == []


def test_delays_double_up_to_half_a_minute() -> None:
    assert [
        round(handling_module.delay_seconds(delivery) / handling_module.LONGEST_DELAY_SECONDS, 0)
        for delivery in (20, 1_000)
    ] == [1, 1]
    assert handling_module.delay_seconds(1) < handling_module.delay_seconds(3) < handling_module.delay_seconds(6)


async def test_an_event_that_fails_too_often_is_dead_lettered_with_all_that_is_needed(
    connection: NatsConnection,
    bus: Bus,
    consume: Consume,
    event: MakeEvent,
    handling: Handling,
    all_settled: Condition,
) -> None:
    handled = handling(*(ValueError(f"attempt {number}") for number in range(1, 10)))
    sent = event()
    await bus.publish(sent)

    async with consume(connection, handled, max_attempts=3):

        async def dead_lettered() -> bool:
            return len(await letters(bus)) == 1

        await until(dead_lettered)
        await until(all_settled)

    assert await given_up(bus.js) == []  # the broker's advisory says that we ended it ourselves
    (letter,) = await letters(bus)
    assert handled.attempts == letter.attempts == 3
    assert (letter.consumer, letter.stream, letter.sequence) == (DURABLE, EXPIRATIONS, 1)
    assert letter.subject == sent.nats_subject
    assert json.loads(letter.body) == json.loads(sent.to_json())
    assert letter.headers["Nats-Msg-Id"] == sent.id
    assert letter.error == "ValueError: attempt 3"
    assert "Traceback" in letter.stack


@pytest.mark.parametrize("failure", [PermanentError("never"), None], ids=["permanent", "unreadable"])
async def test_a_permanent_error_is_dead_lettered_at_once(
    connection: NatsConnection,
    bus: Bus,
    failure: Exception | None,
    consume: Consume,
    event: MakeEvent,
    handling: Handling,
    all_settled: Condition,
) -> None:
    handled = handling(*([failure] if failure else []))
    if failure:
        await bus.publish(event())
    else:
        await bus.js.publish(f"expiration.completed.{new_id()}", b"\xff not json")
    following = event()
    await bus.publish(following)

    async with consume(connection, handled):
        await until(handled.holds(1))
        await until(all_settled)

    (letter,) = await letters(bus)
    assert letter.attempts == 1
    assert handled.versions == [(following.data.id, 1)]


async def test_an_outage_never_dead_letters_an_event(
    connection: NatsConnection,
    bus: Bus,
    consume: Consume,
    event: MakeEvent,
    handling: Handling,
    all_settled: Condition,
) -> None:
    handled = handling(*(UnavailableError("the database is away") for _ in range(5)))
    await bus.publish(event())

    async with consume(connection, handled, max_attempts=2):
        await until(handled.holds(1))
        await until(all_settled)

    assert handled.attempts == 6
    assert await letters(bus) == []


async def test_without_the_dead_letters_stream_no_event_is_terminated(
    connection: NatsConnection,
    bus: Bus,
    consume: Consume,
    event: MakeEvent,
    handling: Handling,
    all_settled: Condition,
) -> None:
    await bus.js.delete_stream(DEAD_LETTERS)
    handled = handling(*(PermanentError("never") for _ in range(3)))
    await bus.publish(event())

    async with consume(connection, handled):
        await until(handled.holds(1))
        await until(all_settled)

    assert handled.attempts == 4
