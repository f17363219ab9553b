import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from ticketing_common.entity import new_id
from ticketing_common.messaging import JetStreamPublisher, Message, NatsConnection, NotPublishedError, RefusedError
from ticketing_common.settings import NatsSettings
from ticketing_common.topology import ORDERS
from ticketing_testkit.apps import Bus
from ticketing_testkit.servers import NatsServer
from ticketing_testkit.waiting import until


@pytest.fixture
async def connection(nats_url: str, bus: Bus) -> AsyncIterator[NatsConnection]:
    made = NatsConnection(NatsSettings(nats_url=SecretStr(nats_url)), name="test")
    await made.connect()
    yield made
    await made.close()


def message(body: bytes = b"{}", subject: str = "order.created.x") -> Message:
    return Message(subject, body, new_id())


async def test_messages_arrive_in_their_order_with_id_and_headers(connection: NatsConnection, bus: Bus) -> None:
    publisher = JetStreamPublisher(connection)
    messages = [Message("order.created.x", str(n).encode(), f"id-{n}", {"traceparent": "t"}) for n in range(300)]

    outcomes = await publisher.outcomes(publisher.send(messages))

    assert outcomes == [None] * 300
    stored = [await bus.js.get_msg(ORDERS, sequence) for sequence in (1, 300)]
    assert [one.data for one in stored] == [b"0", b"299"]
    assert stored[0].headers == {"Nats-Msg-Id": "id-0", "traceparent": "t"}
    assert messages[0].headers == {"traceparent": "t"}


async def test_the_same_message_twice_is_stored_once_and_acknowledged_twice(
    connection: NatsConnection, bus: Bus
) -> None:
    publisher, twice = JetStreamPublisher(connection), message()
    await publisher.publish(twice)
    await publisher.publish(twice)
    assert (await bus.js.stream_info(ORDERS)).state.messages == 1


async def test_a_refused_message_does_not_delay_the_others(connection: NatsConnection, bus: Bus) -> None:
    publisher = JetStreamPublisher(connection)
    larger_than_the_stream_takes, larger_than_the_server_takes = b"x" * 600_000, b"x" * 2_000_000

    outcomes = await publisher.outcomes(
        publisher.send(
            [message(), message(larger_than_the_stream_takes), message(larger_than_the_server_takes), message()]
        )
    )

    assert [type(outcome) for outcome in outcomes] == [type(None), RefusedError, RefusedError, type(None)]


async def test_without_a_stream_a_message_may_be_published_later(connection: NatsConnection, bus: Bus) -> None:
    await bus.js.delete_stream(ORDERS)
    with pytest.raises(NotPublishedError):
        await JetStreamPublisher(connection).publish(message())


async def test_with_the_broker_away_nothing_is_sent_and_nothing_waits(
    connection: NatsConnection, nats_server: NatsServer, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    nats_server.kill()
    await until(lambda: not connection.connected)

    monkeypatch.setattr("ticketing_common.messaging.publisher.ACK_SECONDS", 600)
    async with asyncio.timeout(30):
        with pytest.raises(NotPublishedError):
            await JetStreamPublisher(connection).publish(message())


async def test_a_message_in_flight_when_the_broker_dies_is_not_published(
    connection: NatsConnection, nats_server: NatsServer, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ticketing_common.messaging.publisher.ACK_SECONDS", 0.2)
    nats_server.kill()

    with pytest.raises(NotPublishedError):
        await JetStreamPublisher(connection).publish(message())
