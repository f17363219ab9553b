import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise

import pytest
from nats.js.api import ConsumerInfo
from nats.js.errors import NotFoundError
from pydantic import SecretStr

from ticketing_common.delivery import Consumer, DeadLetter, DeadLetters, Handler, Subscription
from ticketing_common.delivery import consumer as room
from ticketing_common.entity import new_id, utc_now
from ticketing_common.errors import PermanentError, UnavailableError
from ticketing_common.events import ExpirationCompleted, ExpirationData
from ticketing_common.events.subjects import DEAD_LETTERS, EXPIRATIONS
from ticketing_common.messaging import NatsConnection, Publisher
from ticketing_common.settings import NatsSettings
from ticketing_common.telemetry import current_trace_id
from ticketing_common.testing.apps import Bus
from ticketing_common.testing.servers import NatsServer

Until = Callable[..., Awaitable[None]]
SERVICE = "orders"
DURABLE = "orders-expirations"


def event(aggregate_id: str | None = None, version: int = 1) -> ExpirationCompleted:
    aggregate_id = aggregate_id or new_id()
    return ExpirationCompleted.of(
        ExpirationData(id=aggregate_id, version=version, order_id=aggregate_id, expires_at=utc_now())
    )


class Handled:
    """A handler that notes what came, and fails as told."""

    def __init__(self, *failures: Exception) -> None:
        self.versions: list[tuple[str, int]] = []
        self.attempts = 0
        self.traces: list[str | None] = []
        self._failures = list(failures)

    async def __call__(self, one: ExpirationCompleted) -> None:
        self.attempts += 1
        if self._failures:
            raise self._failures.pop(0)
        self.traces.append(current_trace_id())
        self.versions.append((one.data.id, one.data.version))

    def holds(self, count: int) -> Callable[[], Awaitable[bool]]:
        async def reached() -> bool:
            return len(self.versions) >= count

        return reached


@asynccontextmanager
async def consuming(
    connection: NatsConnection,
    handler: Handler,
    *,
    max_attempts: int = 10,
    ack_wait: float = 30.0,
    concurrency: int = 16,
) -> AsyncIterator[Consumer]:
    subscription = Subscription(
        EXPIRATIONS,
        {ExpirationCompleted: handler},
        concurrency=concurrency,
        max_attempts=max_attempts,
        ack_wait_seconds=ack_wait,
    )
    consumer = Consumer(connection, subscription, DeadLetters(Publisher(connection)), service=SERVICE, replicas=1)
    consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short waits, so that a test of an outage is no outage of the tests."""
    monkeypatch.setattr(room, "FETCH_SECONDS", 0.5)
    monkeypatch.setattr(room, "REBIND_SECONDS", 0.1)
    monkeypatch.setattr(room, "FIRST_DELAY_SECONDS", 0.02)


async def info(bus: Bus) -> ConsumerInfo:
    return await bus.js.consumer_info(EXPIRATIONS, DURABLE)


def settled(bus: Bus) -> Callable[[], Awaitable[bool]]:
    """Nothing to come, and nothing unacknowledged."""

    async def reached() -> bool:
        try:
            now = await info(bus)
        except NotFoundError:  # no replica has made it yet
            return False
        return now.num_pending == 0 and now.num_ack_pending == 0

    return reached


async def letters(bus: Bus) -> list[DeadLetter]:
    state = (await bus.js.stream_info(DEAD_LETTERS)).state
    messages = [
        await bus.js.get_msg(DEAD_LETTERS, sequence) for sequence in range(1, state.last_seq + 1) if state.messages
    ]
    return [DeadLetter.model_validate_json(message.data or b"") for message in messages]


async def test_an_event_is_handled_once_and_acknowledged(connection: NatsConnection, bus: Bus, until: Until) -> None:
    handled, sent = Handled(), event()
    await bus.publish(sent)

    async with consuming(connection, handled):
        await until(handled.holds(1))
        await until(settled(bus))

    assert handled.versions == [(sent.data.id, 1)]
    assert (await info(bus)).num_redelivered == 0


async def test_a_consumer_waits_for_its_stream(
    connection: NatsConnection, nats_url: str, bus: Bus, until: Until
) -> None:
    await bus.js.delete_stream(EXPIRATIONS)
    handled = Handled()
    async with consuming(connection, handled) as consumer:
        assert not consumer.bound

        async with Bus.connect(nats_url):  # declares all streams
            await bus.publish(event())
            await until(handled.holds(1))
        assert consumer.bound


async def test_the_handler_works_in_the_trace_of_whoever_caused_the_event(
    connection: NatsConnection, bus: Bus, until: Until
) -> None:
    handled, sent = Handled(), event()
    headers = {"Nats-Msg-Id": sent.id, "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    await bus.js.publish(sent.nats_subject, sent.to_json(), headers=headers)

    async with consuming(connection, handled):
        await until(handled.holds(1))

    assert handled.traces == ["a" * 32]


async def test_events_of_one_aggregate_are_handled_in_their_order(
    connection: NatsConnection, bus: Bus, until: Until
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

    async with consuming(connection, slow):
        await until(all_seen)

    assert all(versions == list(range(1, 9)) for versions in seen.values())


async def test_a_passing_failure_is_put_off_and_tried_again_with_growing_delays(
    connection: NatsConnection, bus: Bus, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "FIRST_DELAY_SECONDS", 0.1)
    times: list[float] = []

    async def fails_thrice(_one: ExpirationCompleted) -> None:
        times.append(asyncio.get_running_loop().time())
        if len(times) < 4:
            raise RuntimeError("not yet")

    await bus.publish(event())
    async with consuming(connection, fails_thrice):

        async def four_times() -> bool:
            return len(times) == 4

        await until(four_times)
        await until(settled(bus))

    first, second, third = (later - earlier for earlier, later in pairwise(times))
    assert first >= 0.08
    assert second >= 0.16
    assert third >= 0.32
    assert first + second + third < 4
    assert await letters(bus) == []


def test_delays_double_up_to_half_a_minute() -> None:
    assert [round(room.delay_seconds(delivery) / room.LONGEST_DELAY_SECONDS, 0) for delivery in (20, 1_000)] == [1, 1]
    assert room.delay_seconds(1) < room.delay_seconds(3) < room.delay_seconds(6)


async def test_an_event_that_fails_too_often_is_buried_with_all_that_is_needed(
    connection: NatsConnection, bus: Bus, until: Until
) -> None:
    handled = Handled(*(ValueError(f"attempt {number}") for number in range(1, 10)))
    sent = event()
    await bus.publish(sent)

    async with consuming(connection, handled, max_attempts=3):

        async def buried() -> bool:
            return len(await letters(bus)) == 1

        await until(buried)
        await until(settled(bus))

    (letter,) = await letters(bus)
    assert handled.attempts == letter.attempts == 3
    assert (letter.consumer, letter.stream, letter.sequence) == (DURABLE, EXPIRATIONS, 1)
    assert letter.subject == sent.nats_subject
    assert json.loads(letter.body) == json.loads(sent.to_json())
    assert letter.headers["Nats-Msg-Id"] == sent.id
    assert letter.error == "ValueError: attempt 3"
    assert "Traceback" in letter.stack


@pytest.mark.parametrize("failure", [PermanentError("never"), None], ids=["permanent", "unreadable"])
async def test_what_can_never_be_handled_is_buried_at_once(
    connection: NatsConnection, bus: Bus, until: Until, failure: Exception | None
) -> None:
    handled = Handled(*([failure] if failure else []))
    if failure:
        await bus.publish(event())
    else:
        await bus.js.publish(f"expiration.completed.{new_id()}", b"\xff not json")
    following = event()
    await bus.publish(following)

    async with consuming(connection, handled):
        await until(handled.holds(1))
        await until(settled(bus))

    (letter,) = await letters(bus)
    assert letter.attempts == 1
    assert handled.versions == [(following.data.id, 1)]


async def test_an_outage_of_ours_never_buries_an_event(connection: NatsConnection, bus: Bus, until: Until) -> None:
    handled = Handled(*(UnavailableError("the database is away") for _ in range(5)))
    await bus.publish(event())

    async with consuming(connection, handled, max_attempts=2):
        await until(handled.holds(1))
        await until(settled(bus))

    assert handled.attempts == 6
    assert await letters(bus) == []


async def test_without_the_dead_letters_nothing_is_let_go(connection: NatsConnection, bus: Bus, until: Until) -> None:
    await bus.js.delete_stream(DEAD_LETTERS)
    handled = Handled(*(PermanentError("never") for _ in range(3)))
    await bus.publish(event())

    async with consuming(connection, handled):
        await until(handled.holds(1))
        await until(settled(bus))

    assert handled.attempts == 4


async def test_a_deleted_consumer_is_made_again_and_nothing_is_missed(
    connection: NatsConnection, bus: Bus, until: Until
) -> None:
    handled = Handled()
    async with consuming(connection, handled):
        await bus.publish(first := event())
        await until(handled.holds(1))

        await bus.js.delete_consumer(EXPIRATIONS, DURABLE)
        await bus.publish(second := event())

        async def second_came() -> bool:
            return (second.data.id, 1) in handled.versions

        await until(second_came)

    assert {id_ for id_, _ in handled.versions} == {first.data.id, second.data.id}


async def test_after_an_outage_of_the_bus_consuming_goes_on(
    connection: NatsConnection, nats_server: NatsServer, bus: Bus, until: Until
) -> None:
    handled = Handled()
    async with consuming(connection, handled):
        await bus.publish(event())
        await until(handled.holds(1))

        nats_server.kill()
        await asyncio.to_thread(nats_server.start)

        async with Bus.connect(nats_server.url) as afterwards:
            await afterwards.publish(event())
            await until(handled.holds(2), 15)


async def test_slow_work_is_not_given_to_somebody_else_as_well(
    connection: NatsConnection, bus: Bus, until: Until
) -> None:
    begun = 0
    done: list[str] = []

    async def slow(one: ExpirationCompleted) -> None:
        nonlocal begun
        begun += 1
        await asyncio.sleep(1.0)
        done.append(one.data.id)

    await bus.publish(event())
    async with consuming(connection, slow, ack_wait=0.3), consuming(connection, slow, ack_wait=0.3):
        await until(settled(bus))

    assert (begun, len(done)) == (1, 1)


async def test_replicas_share_the_work(connection: NatsConnection, bus: Bus, until: Until) -> None:
    seen: list[str] = []

    async def handle(one: ExpirationCompleted) -> None:
        await asyncio.sleep(0.005)
        seen.append(one.data.id)

    sent = [event() for _ in range(100)]
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(consuming(connection, handle, concurrency=2))
        for one in sent:
            await bus.publish(one)

        async def all_seen() -> bool:
            return len(seen) >= 100

        await until(all_seen)

    assert sorted(seen) == sorted(one.data.id for one in sent)


async def test_a_replica_that_ends_hands_over_at_once_what_it_has_not_begun(
    connection: NatsConnection, nats_url: str, bus: Bus, until: Until
) -> None:
    first_begun: list[str] = []
    second = Handled()
    gate = asyncio.Event()

    async def held(one: ExpirationCompleted) -> None:
        first_begun.append(one.data.id)
        await gate.wait()

    second_connection = NatsConnection(NatsSettings(nats_url=SecretStr(nats_url)), name="second")
    await second_connection.connect()
    sent = [event() for _ in range(20)]
    for one in sent:
        await bus.publish(one)

    # An ack_wait of a minute: nobody can be waiting for that to run out.
    async with AsyncExitStack() as second_replica:
        async with consuming(connection, held, concurrency=2, ack_wait=60):

            async def in_hand() -> bool:
                return len(first_begun) == 2 and (await info(bus)).num_ack_pending == 20

            await until(in_hand)
            await second_replica.enter_async_context(consuming(second_connection, second, ack_wait=60))
            handed_over = asyncio.create_task(_then(until(second.holds(18)), gate.set))

        await handed_over
        await until(settled(bus))

    assert sorted([*first_begun, *(id_ for id_, _ in second.versions)]) == sorted(one.data.id for one in sent)
    await second_connection.close()


async def _then(awaited: Awaitable[None], action: Callable[[], None]) -> None:
    try:
        await awaited
    finally:
        action()


async def test_work_that_does_not_end_is_given_back_at_the_end(
    connection: NatsConnection, bus: Bus, until: Until
) -> None:
    begun = asyncio.Event()

    async def endless(_one: ExpirationCompleted) -> None:
        begun.set()
        await asyncio.Event().wait()

    await bus.publish(event())
    subscription = Subscription(EXPIRATIONS, {ExpirationCompleted: endless}, ack_wait_seconds=60)
    consumer = Consumer(connection, subscription, DeadLetters(Publisher(connection)), service=SERVICE, replicas=1)
    consumer.start()
    await asyncio.wait_for(begun.wait(), 5)
    await consumer.stop(seconds=0.1)

    handled = Handled()
    async with consuming(connection, handled, ack_wait=60):
        await until(handled.holds(1))
