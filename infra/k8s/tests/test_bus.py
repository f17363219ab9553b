"""The NATS configuration on a real server: each service publishes only its own events."""

import asyncio
import json
from collections.abc import AsyncIterator

import nats.errors
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig
from pydantic import SecretStr

from ticketing_common.delivery import END_SESSIONS, RESET_FACTOR, OperatorCommand, StreamReader
from ticketing_common.messaging import NatsConnection, consumer_config, ensure_consumer
from ticketing_common.settings import NatsSettings
from ticketing_common.topology import PAYMENTS, USERS

from .cluster_bus import CONSUMES, OWN, PATIENCE_SECONDS, READS, REFUSED_SECONDS, refused, subject_of


def _consumer(durable: str, stream: str) -> ConsumerConfig:
    return consumer_config(
        durable,
        filter_subjects=[subject_of(stream).replace(".abc", ".*")],
        ack_wait_seconds=30,
        max_ack_pending=100,
        max_deliver=10,
        replicas=1,
    )


async def test_every_service_can_publish_consume_and_dead_letter(clients: dict[str, Client]) -> None:
    for user, stream in OWN.items():
        await clients[user].jetstream().publish(subject_of(stream), b"{}")
    for user, streams in CONSUMES.items():
        js = clients[user].jetstream()
        for stream in streams:
            durable = f"{user}-{stream.lower()}"
            await ensure_consumer(js, stream, _consumer(durable, stream))
            pull = await js.pull_subscribe_bind(durable, stream=stream)
            (message,) = await pull.fetch(1, timeout=PATIENCE_SECONDS)
            await message.ack_sync()
            await js.publish(f"dead_letters.{durable}", b"{}")


@pytest.fixture
async def feed(clients: dict[str, Client], request: pytest.FixtureRequest) -> AsyncIterator[tuple[str, NatsConnection]]:
    """A stream, and the connection that the product itself makes for a service, as a second one of the same user."""
    user, stream = request.param
    address = clients[user].connected_url
    assert address is not None
    connection = NatsConnection(NatsSettings(nats_url=SecretStr(address.geturl())), name=user)
    await connection.connect()
    try:
        yield stream, connection
    finally:
        await connection.close()


@pytest.mark.parametrize("feed", READS, indirect=True, ids=str)
async def test_a_service_reads_its_own_stream_for_live_updates_and_the_stream_of_users(
    feed: tuple[str, NatsConnection], clients: dict[str, Client]
) -> None:
    stream, connection = feed
    owner = clients[next(user for user, own in OWN.items() if own == stream)].jetstream()
    received: asyncio.Queue[str] = asyncio.Queue()
    reader = StreamReader(
        connection,
        stream,
        on_event=lambda _sequence, subject, _body: received.put_nowait(subject),
        on_gap=lambda: received.put_nowait("gap"),
        history=10,
    )
    await owner.publish(subject_of(stream), b"{}")
    reader.start()
    try:
        assert await asyncio.wait_for(received.get(), PATIENCE_SECONDS) == subject_of(stream)
        await owner.publish(subject_of(stream).replace("abc", "def"), b"{}")
        assert await asyncio.wait_for(received.get(), PATIENCE_SECONDS) == subject_of(stream).replace("abc", "def")
    finally:
        await reader.stop()


async def test_a_service_can_read_no_other_stream(clients: dict[str, Client]) -> None:
    attempts = [
        clients[user].jetstream(timeout=REFUSED_SECONDS).add_consumer(stream, ConsumerConfig(name="tail-x"))
        for user in OWN
        for stream in OWN.values()
        if (user, stream) not in READS
    ]

    await refused(*attempts)


@pytest.mark.parametrize(("user", "stream"), READS)
async def test_a_stream_reader_cannot_take_events_from_the_consumer_of_another(
    clients: dict[str, Client], user: str, stream: str
) -> None:
    """Also on its own stream: removing or draining the consumer of another service hides events from it."""
    others = [consumer for consumer, streams in CONSUMES.items() if stream in streams and consumer != user]
    assert others or (user, stream) == ("tickets", USERS), "tickets is the only consumer of USERS"
    owner = clients[next(user for user, own in OWN.items() if own == stream)].jetstream()
    for other in others:
        durable = f"{other}-{stream.lower()}"
        await ensure_consumer(clients[other].jetstream(), stream, _consumer(durable, stream))
        await owner.publish(subject_of(stream), b"{}")
        js = clients[user].jetstream(timeout=REFUSED_SECONDS)

        await refused(js.delete_consumer(stream, durable), js.add_consumer(stream, _consumer(durable, stream)))
        pull = await js.pull_subscribe_bind(durable, stream=stream)
        await refused(pull.fetch(1, timeout=REFUSED_SECONDS))
        own = await clients[other].jetstream().pull_subscribe_bind(durable, stream=stream)
        assert await own.fetch(1, timeout=PATIENCE_SECONDS)


async def test_no_user_receives_replies_to_another(clients: dict[str, Client]) -> None:
    overheard: list[str] = []

    async def keep(message: Msg) -> None:
        overheard.append(message.subject)

    for user in OWN:
        for inbox in {f"_INBOX_{other}.>" for other in OWN if other != user} | {"_INBOX.>", "*.*", ">"}:
            await clients[user].subscribe(inbox, cb=keep)
        await clients[user].flush()

    for user, stream in OWN.items():
        await clients[user].jetstream().publish(subject_of(stream), b"{}")
    for client in clients.values():
        await client.flush()  # messages in flight arrive before this reply

    assert overheard == []


async def test_no_service_publishes_for_another(clients: dict[str, Client]) -> None:
    attempts = [
        clients[user].jetstream().publish(subject, b"forged", timeout=REFUSED_SECONDS)
        for user in OWN
        for owner, stream in OWN.items()
        if owner != user
        for subject in (subject_of(stream), f"dead_letters.{owner}-x")
    ]

    await refused(*attempts)


async def test_no_service_reads_a_message_of_another(clients: dict[str, Client]) -> None:
    js = clients["tickets"].jetstream(timeout=REFUSED_SECONDS)

    await refused(js.get_msg(PAYMENTS, 1))


@pytest.mark.parametrize("subject", [END_SESSIONS, RESET_FACTOR])
async def test_auth_takes_commands_from_the_operator_and_from_no_service(
    clients: dict[str, Client], subject: str
) -> None:
    address = clients["auth"].connected_url
    assert address is not None
    connection = NatsConnection(NatsSettings(nats_url=SecretStr(address.geturl())), name="auth")
    await connection.connect()
    asked: list[str] = []

    async def run(account_id: str) -> str:
        asked.append(account_id)
        return "done"

    command = OperatorCommand(connection, subject, run, service="auth")
    await command.start()
    try:
        await connection.client.flush()
        for service in ("auth", "orders"):
            with pytest.raises((TimeoutError, nats.errors.Error)):
                await clients[service].request(subject, b"forged", timeout=REFUSED_SECONDS)
        inbox = "_INBOX.operator"  # the command's own: services may reply to no other
        answers = await clients["operator"].subscribe(inbox)
        await clients["operator"].publish(subject, b"an id", reply=inbox)
        answer = await answers.next_msg(timeout=PATIENCE_SECONDS)
        assert json.loads(answer.data) == {"done": "done"}
        assert asked == ["an id"]
    finally:
        await command.stop()
        await connection.close()
