"""Events that a batch handler takes together: what one of them does to the others."""

import asyncio
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY
from pymongo.errors import ServerSelectionTimeoutError

from ticketing_common.delivery import BatchHandler, DeadLetter
from ticketing_common.delivery import handling as handling_module
from ticketing_common.entity import new_id
from ticketing_common.errors import PermanentError
from ticketing_common.events import ExpirationCompleted
from ticketing_common.messaging import NatsConnection
from ticketing_common.telemetry.trace_context import record_with
from ticketing_common.telemetry.trace_recording import provider_with
from ticketing_common.topology import DEAD_LETTERS, EXPIRATIONS
from ticketing_testkit.apps import Bus
from ticketing_testkit.waiting import until

from .batches import Condition, Consume, MakeEvent, Together, all_in_hand
from .conftest import DURABLE, SERVICE


async def handle_all(
    together: Together, consume: Consume, connection: NatsConnection, bus: Bus, all_settled: Condition
) -> None:
    """Hand out all events while the first of them is being handled, then let it go on until all are acknowledged."""
    published = (await bus.js.stream_info(EXPIRATIONS)).state.messages
    async with consume(connection, together.handle_alone, together=together.batch_handler):
        await until(lambda: all_in_hand(bus, published))
        together.begin.set()
        await until(all_settled)


def handlings_and_durations() -> tuple[float, float]:
    """How many outcomes and how many durations were recorded until now."""
    labels = {"service": SERVICE, "consumer": DURABLE}
    outcomes = (
        REGISTRY.get_sample_value("events_consumed_total", labels | {"outcome": outcome})
        for outcome in handling_module.OUTCOMES
    )
    durations = REGISTRY.get_sample_value("event_handling_duration_seconds_count", labels)
    return sum(outcome or 0.0 for outcome in outcomes), durations or 0.0


async def letters(bus: Bus) -> list[DeadLetter]:
    state = (await bus.js.stream_info(DEAD_LETTERS)).state
    found = [await bus.js.get_msg(DEAD_LETTERS, sequence) for sequence in range(1, state.last_seq + 1)]
    return [DeadLetter.model_validate_json(message.data or b"") for message in found]


async def test_events_that_wait_are_handled_together(
    connection: NatsConnection, bus: Bus, consume: Consume, event: MakeEvent, all_settled: Condition
) -> None:
    sent = [event() for _ in range(30)]
    for one in sent:
        await bus.publish(one)
    together = Together()
    await handle_all(together, consume, connection, bus, all_settled)

    assert together.handled == [one.data.id for one in sent]
    assert max(map(len, together.calls)) > 10
    assert (await bus.js.consumer_info(EXPIRATIONS, DURABLE)).num_redelivered == 0


async def test_a_batch_has_each_aggregate_once_and_in_order(
    connection: NatsConnection, bus: Bus, consume: Consume, event: MakeEvent, all_settled: Condition
) -> None:
    ids = [new_id() for _ in range(6)]
    await bus.publish(event())  # handled alone, while the others arrive
    for version in range(1, 5):
        for aggregate_id in ids:
            await bus.publish(event(aggregate_id, version))
    together = Together()
    await handle_all(together, consume, connection, bus, all_settled)

    assert all(len({aggregate_id for aggregate_id, _ in call}) == len(call) for call in together.calls)
    seen = [one for call in together.calls for one in call]
    for aggregate_id in ids:
        assert [version for one, version in seen if one == aggregate_id] == [1, 2, 3, 4]


async def test_one_event_that_cannot_be_handled_is_dead_lettered_without_the_others(
    connection: NatsConnection, bus: Bus, consume: Consume, event: MakeEvent, all_settled: Condition
) -> None:
    sent = [event() for _ in range(40)]
    for one in sent:
        await bus.publish(one)
    bad = sent[23].data.id
    together = Together(**{bad: PermanentError("never")})
    await handle_all(together, consume, connection, bus, all_settled)

    assert [letter.subject for letter in await letters(bus)] == [sent[23].nats_subject]
    calls = [{aggregate_id for aggregate_id, _ in call} for call in together.calls]
    assert {*together.alone}.union(*(call for call in calls if bad not in call)) == {one.data.id for one in sent}
    assert len(together.calls) < 15, "halved, not one by one"


async def test_a_body_that_is_no_event_is_dead_lettered_without_the_others(
    connection: NatsConnection, bus: Bus, consume: Consume, event: MakeEvent, all_settled: Condition
) -> None:
    sent = [event() for _ in range(10)]
    for number, one in enumerate(sent):
        if number == 5:
            await bus.js.publish(f"expiration.completed.{new_id()}", b"no event")
        await bus.publish(one)
    together = Together()
    await handle_all(together, consume, connection, bus, all_settled)

    assert len(await letters(bus)) == 1
    assert set(together.handled) == {one.data.id for one in sent}


async def test_a_database_that_is_away_delays_all_events_of_a_batch(
    connection: NatsConnection,
    bus: Bus,
    consume: Consume,
    event: MakeEvent,
    all_settled: Condition,
) -> None:
    sent = [event() for _ in range(12)]
    for one in sent:
        await bus.publish(one)
    together = Together()
    away = [ServerSelectionTimeoutError("no primary")]
    handlings, durations = handlings_and_durations()

    async def handle(events: Sequence[ExpirationCompleted]) -> None:
        await together.begin.wait()
        if away:
            raise away.pop()
        await together.handle(events)

    async with consume(connection, together.handle_alone, together=BatchHandler.of(handle, ExpirationCompleted)):
        await until(lambda: all_in_hand(bus, len(sent)))
        together.begin.set()
        await until(all_settled)

    assert away == []
    assert await letters(bus) == []
    handlings_now, durations_now = handlings_and_durations()
    assert handlings_now - handlings == durations_now - durations > len(sent)
    assert sorted(together.handled) == sorted(one.data.id for one in sent)


async def test_an_event_whose_trace_is_recorded_is_handled_alone(
    connection: NatsConnection, bus: Bus, consume: Consume, event: MakeEvent, all_settled: Condition
) -> None:
    spans = InMemorySpanExporter()
    sent = [event() for _ in range(20)]
    for number, one in enumerate(sent):
        sampled = "01" if number == 7 else "00"
        headers = {"Nats-Msg-Id": one.id, "traceparent": f"00-{number + 1:032x}-{'b' * 16}-{sampled}"}
        await bus.js.publish(one.nats_subject, one.to_json(), headers=headers)
    together = Together()
    record_with(provider_with(SimpleSpanProcessor(spans), service="test"))
    try:
        await handle_all(together, consume, connection, bus, all_settled)
    finally:
        record_with(None)

    assert sent[7].data.id in together.alone
    names = [span.name for span in spans.get_finished_spans() if span.context and span.context.trace_id == 8]
    assert names == ["handle expiration.completed"]


async def test_a_replica_that_stops_returns_what_waits_and_finishes_its_batch(
    connection: NatsConnection, bus: Bus, consume: Consume, event: MakeEvent, all_settled: Condition
) -> None:
    sent = [event() for _ in range(20)]
    for one in sent:
        await bus.publish(one)
    first, second = Together(), Together()
    second.begin.set()
    async with consume(connection, second.handle_alone, together=second.batch_handler):
        await until(all_settled)
    for one in (more := [event() for _ in range(20)]):
        await bus.publish(one)
    async with consume(connection, first.handle_alone, together=first.batch_handler) as consumer:
        await until(lambda: all_in_hand(bus, len(more)))
        stopping = asyncio.create_task(consumer.stop())
        first.begin.set()
        await stopping
    async with consume(connection, second.handle_alone, together=second.batch_handler):
        await until(all_settled)

    handled = [one for part in (first, second) for call in part.calls for one, _ in call]
    assert {*handled, *first.alone, *second.alone} == {one.data.id for one in (*sent, *more)}


async def test_a_failing_event_of_a_batch_counts_its_deliveries(
    connection: NatsConnection,
    bus: Bus,
    consume: Consume,
    event: MakeEvent,
    all_settled: Condition,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(handling_module, "LONGEST_DELAY_SECONDS", 0.02)
    sent = [event() for _ in range(8)]
    for one in sent:
        await bus.publish(one)
    together = Together(**{sent[4].data.id: RuntimeError("again and again")})
    await handle_all(together, consume, connection, bus, all_settled)

    (letter,) = await letters(bus)
    assert letter.subject == sent[4].nats_subject
    assert together.alone.count(sent[4].data.id) == 10


async def test_a_batch_that_ends_between_its_work_and_its_acknowledgement_is_handled_again(
    connection: NatsConnection, bus: Bus, consume: Consume, event: MakeEvent, all_settled: Condition
) -> None:
    for one in [event() for _ in range(10)]:
        await bus.publish(one)
    first, second, done = Together(), Together(), asyncio.Event()
    first.begin.set()
    second.begin.set()

    async def work_and_hang(events: Sequence[ExpirationCompleted]) -> None:
        await first.handle(events)
        done.set()
        await asyncio.Event().wait()

    hanging = BatchHandler.of(work_and_hang, ExpirationCompleted)
    async with consume(connection, first.handle_alone, together=hanging) as consumer, asyncio.timeout(60):
        await done.wait()
        await consumer.stop(seconds=0.1)
    async with consume(connection, second.handle_alone, together=second.batch_handler):
        await until(all_settled)

    assert {aggregate_id for aggregate_id, _ in first.calls[0]} <= set(second.handled)
    assert await letters(bus) == []
