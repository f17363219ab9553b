"""The messages of a batch: how they are grouped, kept in progress and acknowledged."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence

import pytest
from nats.aio.msg import Msg

from ticketing_common.delivery import BatchHandler, DeadLetters, EventSubscription
from ticketing_common.delivery import handling as handling_module
from ticketing_common.delivery.handling import MessageHandling
from ticketing_common.entity import new_id
from ticketing_common.events import Event, ExpirationCompleted, parse_event
from ticketing_common.messaging import JetStreamPublisher, NatsConnection
from ticketing_common.resilience import PER_ITERATION, background, cancel_and_wait
from ticketing_common.topology import EXPIRATIONS
from ticketing_testkit.apps import Bus
from ticketing_testkit.waiting import until

from .batches import Consume, MakeEvent, Together, all_in_hand
from .conftest import SERVICE


def handling_of(together: Together, connection: NatsConnection) -> MessageHandling:
    subscription = EventSubscription.in_batches(EXPIRATIONS, together.handle, ExpirationCompleted)
    return MessageHandling(subscription, DeadLetters(JetStreamPublisher(connection)), service=SERVICE)


async def test_a_settled_message_has_no_heartbeat_while_its_batch_goes_on(
    connection: NatsConnection,
    bus: Bus,
    consume: Consume,
    event: MakeEvent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(handling_module, "FIRST_DELAY_SECONDS", 30.0)
    sent = [event() for _ in range(10)]
    for one in sent:
        await bus.publish(one)
    faulty, slow = sent[1].data.id, sent[-1].data.id
    answers: dict[str, list[bytes]] = defaultdict(list)

    async def record(answer: Msg) -> None:
        answers[answer.subject].append(answer.data)

    await bus.client.subscribe(f"$JS.ACK.{EXPIRATIONS}.>", cb=record)
    together = Together(**{faulty: RuntimeError("later")})
    go_on = asyncio.Event()

    async def handle(events: Sequence[ExpirationCompleted]) -> None:
        await together.handle(events)
        if any(one.data.id == slow for one in events):
            await go_on.wait()

    async def handle_alone(one: ExpirationCompleted) -> None:
        await together.handle_alone(one)
        if one.data.id == slow:
            await go_on.wait()

    async def heartbeats() -> bool:
        return sum(given.count(b"+WPI") for given in answers.values()) >= 25

    batch_handler = BatchHandler.of(handle, ExpirationCompleted)
    async with consume(connection, handle_alone, together=batch_handler, ack_wait=1.5):
        await until(lambda: all_in_hand(bus, len(sent)))
        together.begin.set()
        await until(heartbeats)
        go_on.set()

    assert any(given[-1].startswith(b"-NAK {") for given in answers.values()), "a heartbeat replaces the delay"
    for given in answers.values():
        settled_at = next((place for place, answer in enumerate(given) if answer != b"+WPI"), len(given))
        assert b"+WPI" not in given[settled_at:]


async def test_events_of_one_aggregate_do_not_split_a_batch_more_often_than_they_must(
    connection: NatsConnection, event: MakeEvent
) -> None:
    ids = [new_id() for _ in range(12)]
    sent = [event(aggregate_id, version) for aggregate_id in ids for version in (1, 2, 3)]
    together = Together()
    together.begin.set()
    handling = handling_of(together, connection)

    client = connection.client
    await handling.handle([Msg(client, one.nats_subject, f"answer.{one.id}", one.to_json()) for one in sent])

    assert together.calls == [[(aggregate_id, version) for aggregate_id in ids] for version in (1, 2, 3)]


async def test_requests_continue_while_the_events_of_a_batch_are_parsed_and_acknowledged(
    connection: NatsConnection, event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = [event() for _ in range(3 * PER_ITERATION)]
    iterations = 0
    parsed_in: list[int] = []
    acknowledged_in: list[int] = []

    async def count_iterations() -> None:
        nonlocal iterations
        while True:
            iterations += 1
            await asyncio.sleep(0)

    def parse(subject: str, body: bytes) -> Event:
        parsed_in.append(iterations)
        return parse_event(subject, body)

    class Received(Msg):
        async def ack(self) -> None:
            acknowledged_in.append(iterations)
            await super().ack()

    monkeypatch.setattr(handling_module, "parse_event", parse)
    together = Together()
    together.begin.set()
    handling = handling_of(together, connection)
    client = connection.client
    counting = asyncio.create_task(count_iterations())
    with background():
        await handling.handle([Received(client, one.nats_subject, f"answer.{one.id}", one.to_json()) for one in sent])
    await cancel_and_wait(counting)

    assert [len(parsed_in), len(acknowledged_in)] == [len(sent)] * 2
    assert max(Counter(parsed_in).values()) <= PER_ITERATION
    assert max(Counter(acknowledged_in).values()) <= PER_ITERATION
