"""Each stream reader reads every event once and in order, whatever happens to the broker."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from nats.js import JetStreamContext

from ticketing_common.delivery import StreamReader
from ticketing_common.delivery import stream_reader as stream_reader_module
from ticketing_common.events import ExpirationCompleted
from ticketing_common.messaging import NatsConnection, ensure_stream, stream_config
from ticketing_common.topology import EXPIRATIONS
from ticketing_testkit.apps import Bus
from ticketing_testkit.servers import NatsServer
from ticketing_testkit.waiting import until

MakeEvent = Callable[..., ExpirationCompleted]

GAP = "a gap"


class Seen:
    """What a stream reader reported, in order."""

    def __init__(self) -> None:
        self.received: list[int | str] = []

    def on_event(self, sequence: int, subject: str, body: bytes) -> None:
        assert subject.startswith("expiration.completed.")
        assert body
        self.received.append(sequence)

    def on_gap(self) -> None:
        self.received.append(GAP)

    def is_(self, *received: int | str) -> Callable[[], Awaitable[bool]]:
        async def reached() -> bool:
            return self.received == list(received)

        return reached

    def ends_with(self, sequence: int) -> Callable[[], Awaitable[bool]]:
        async def reached() -> bool:
            return self.received[-1:] == [sequence]

        return reached


@asynccontextmanager
async def reading(connection: NatsConnection, *, history: int = 0) -> AsyncIterator[tuple[StreamReader, Seen]]:
    seen = Seen()
    reader = StreamReader(connection, EXPIRATIONS, on_event=seen.on_event, on_gap=seen.on_gap, history=history)
    reader.start()

    async def caught_up() -> bool:
        return reader.caught_up

    try:
        await until(caught_up)
        yield reader, seen
    finally:
        await reader.stop()


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_reader_module, "FETCH_SECONDS", 0.5)
    monkeypatch.setattr(stream_reader_module, "REBIND_SECONDS", 0.1)


async def publish(bus: Bus, event: MakeEvent, count: int) -> None:
    for _ in range(count):
        await bus.publish(event())


async def consumers(bus: Bus) -> list[str]:
    return [info.name for info in await bus.js.consumers_info(EXPIRATIONS)]


async def test_it_starts_its_history_before_the_end_and_continues_in_order(
    connection: NatsConnection, bus: Bus, event: MakeEvent
) -> None:
    await publish(bus, event, 7)
    async with reading(connection, history=3) as (reader, seen):
        assert seen.received == [5, 6, 7]
        await publish(bus, event, 600)
        await until(seen.ends_with(607))
    assert seen.received == list(range(5, 608))
    assert reader.position == 607


async def test_without_history_it_starts_with_the_next_event(
    connection: NatsConnection, bus: Bus, event: MakeEvent
) -> None:
    await publish(bus, event, 2)
    async with reading(connection) as (reader, seen):
        assert (reader.position, seen.received) == (2, [])
        await publish(bus, event, 1)
        await until(seen.is_(3))


async def test_an_empty_stream_counts_as_caught_up(connection: NatsConnection, bus: Bus, event: MakeEvent) -> None:
    async with reading(connection, history=10) as (_, seen):
        await publish(bus, event, 1)
        await until(seen.is_(1))


async def test_a_stopped_reader_leaves_no_consumer_on_the_broker(
    connection: NatsConnection, bus: Bus, event: MakeEvent
) -> None:
    async with reading(connection):
        assert len(await consumers(bus)) == 1
    assert await consumers(bus) == []


async def test_a_deleted_consumer_loses_no_event(connection: NatsConnection, bus: Bus, event: MakeEvent) -> None:
    async with reading(connection) as (_, seen):
        await publish(bus, event, 2)
        await until(seen.is_(1, 2))
        for name in await consumers(bus):
            await bus.js.delete_consumer(EXPIRATIONS, name)
        await publish(bus, event, 2)
        await until(seen.ends_with(4))
    assert seen.received == [1, 2, 3, 4]


async def test_a_killed_and_restarted_broker_loses_no_event(
    connection: NatsConnection, bus: Bus, nats_server: NatsServer, event: MakeEvent
) -> None:
    async with reading(connection) as (_, seen):
        await publish(bus, event, 3)
        await until(seen.ends_with(3))
        nats_server.kill()
        await asyncio.to_thread(nats_server.start)

        async def published() -> bool:
            try:
                await publish(bus, event, 1)
            except Exception:
                return False
            return True

        await until(published)
        info = await bus.js.stream_info(EXPIRATIONS)
        await until(seen.ends_with(info.state.last_seq))
    assert seen.received == list(range(1, info.state.last_seq + 1))


async def test_events_removed_before_they_were_read_are_a_gap(
    connection: NatsConnection, bus: Bus, event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_reader_module, "REBIND_SECONDS", 1.5)
    async with reading(connection) as (_, seen):
        await publish(bus, event, 1)
        await until(seen.is_(1))
        for name in await consumers(bus):
            await bus.js.delete_consumer(EXPIRATIONS, name)  # until it has another, it reads nothing
        await publish(bus, event, 3)
        await bus.js.purge_stream(EXPIRATIONS)
        await until(seen.is_(1, GAP))
        await publish(bus, event, 1)
        await until(seen.is_(1, GAP, 5))


async def test_one_event_removed_on_the_way_is_a_gap(connection: NatsConnection, bus: Bus, event: MakeEvent) -> None:
    await publish(bus, event, 3)
    await bus.js.delete_msg(EXPIRATIONS, 2)
    async with reading(connection, history=3) as (_, seen):
        assert seen.received == [1, GAP, 3]


async def test_a_recreated_stream_is_a_gap_and_is_read_from_its_start(
    connection: NatsConnection, bus: Bus, event: MakeEvent
) -> None:
    async with reading(connection, history=5) as (_, seen):
        await publish(bus, event, 2)
        await until(seen.is_(1, 2))
        await bus.js.delete_stream(EXPIRATIONS)
        await ensure_stream(bus.js, stream_config(EXPIRATIONS, replicas=1))
        await publish(bus, event, 1)
        await until(seen.is_(1, 2, GAP, 1))


async def test_a_handler_that_fails_does_not_stop_the_others(
    connection: NatsConnection, bus: Bus, event: MakeEvent
) -> None:
    seen = Seen()

    def on_event(sequence: int, subject: str, body: bytes) -> None:
        if sequence == 1:
            raise ValueError("not for showing")
        seen.on_event(sequence, subject, body)

    reader = StreamReader(connection, EXPIRATIONS, on_event=on_event, on_gap=seen.on_gap)
    reader.start()

    async def caught_up() -> bool:
        return reader.caught_up

    try:
        await until(caught_up)
        await publish(bus, event, 2)
        await until(seen.is_(2))
    finally:
        await reader.stop()


async def test_it_stops_even_if_a_cancel_is_lost(
    connection: NatsConnection, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`asyncio.wait_for`, which nats-py uses, drops a cancel that arrives together with the message."""
    fetch = JetStreamContext.PullSubscription.fetch

    waiting = asyncio.Event()

    async def deaf(self: Any, *arguments: Any, **options: Any) -> Any:
        waiting.set()
        try:
            return await fetch(self, *arguments, **options)
        except asyncio.CancelledError:
            raise TimeoutError from None

    async with reading(connection) as (reader, _):
        monkeypatch.setattr(JetStreamContext.PullSubscription, "fetch", deaf)
        async with asyncio.timeout(30):
            await waiting.wait()
            await reader.stop()
