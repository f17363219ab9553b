"""The NATS configuration as a real server takes it: each service tells its own events and no other's."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import nats
import nats.errors
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig
from pydantic import SecretStr

from ticketing_common.delivery import Tail
from ticketing_common.events.subjects import EXPIRATIONS, ORDERS, PAYMENTS, SAFETY_NETS, STREAM_SUBJECTS, TICKETS
from ticketing_common.messaging import NatsConnection, consumer_config, ensure_consumer, ensure_stream, stream_config
from ticketing_common.settings import NatsSettings
from ticketing_common.testing.servers import NatsServer

CONFIGURATION = Path(__file__).resolve().parents[1] / "nats"
OWN = {"tickets": TICKETS, "orders": ORDERS, "payments": PAYMENTS, "expiration": EXPIRATIONS}
HEARS = {"tickets": [ORDERS], "orders": [TICKETS, PAYMENTS, EXPIRATIONS], "payments": [ORDERS], "expiration": [ORDERS]}
FEEDS = ("orders", "tickets")
REFUSED_SECONDS = 0.5
PATIENCE_SECONDS = 20.0
USERS = (*OWN, "operator", "route")


class ClusterNats(NatsServer):
    """The server with the files of the base, but for its port and its folder."""

    passwords: Mapping[str, str] = {}

    def command(self) -> Sequence[str]:
        command = list(super().command())
        config = (CONFIGURATION / "nats.conf").read_text()
        config = config.replace("port: 4222", f'listen: "127.0.0.1:{self.port}"')
        config = config.replace("http_port: 8222", "").replace("store_dir: /data", f'store_dir: "{self.directory}"')
        Path(command[-1]).write_text(config)
        for name in ("users.conf", "cluster.conf"):
            (self.directory / name).write_text((CONFIGURATION / name).read_text())
        return command

    def environment(self) -> Mapping[str, str]:
        names = {f"{user.upper()}_PASSWORD": value for user, value in self.passwords.items()}
        return {"POD_NAME": "nats-0", **names}


@pytest.fixture
async def clients(tmp_path: Path) -> AsyncIterator[dict[str, Client]]:
    """A connection of each service, its streams declared."""
    server = ClusterNats(tmp_path)
    server.passwords = {user: f"p{secrets.token_hex(8)}" for user in USERS}
    server.launch()
    connections: dict[str, Client] = {}

    async def ignore(error: Exception) -> None:
        """The server tells of each refusal; the tests look at what came of it."""

    try:
        await asyncio.to_thread(server.wait_until_ready)
        for user in OWN:
            login = f"{user}:{server.passwords[user]}"
            address = server.url.replace("nats://", f"nats://{login}@")
            connections[user] = await nats.connect(address, error_cb=ignore, inbox_prefix=f"_INBOX_{user}")
        for user, stream in OWN.items():
            for name in (stream, *SAFETY_NETS):
                await ensure_stream(connections[user].jetstream(), stream_config(name, replicas=1))
        yield connections
    finally:
        for connection in connections.values():
            await connection.close()
        server.stop()


def _subject(stream: str) -> str:
    return STREAM_SUBJECTS[stream].replace(">", "created.abc")


def _consumer(durable: str, stream: str) -> ConsumerConfig:
    return consumer_config(
        durable,
        filter_subjects=[_subject(stream).replace(".abc", ".*")],
        ack_wait_seconds=30,
        max_ack_pending=100,
        max_deliver=10,
        replicas=1,
    )


async def test_every_service_can_tell_hear_and_bury(clients: dict[str, Client]) -> None:
    for user, stream in OWN.items():
        await clients[user].jetstream().publish(_subject(stream), b"{}")
    for user, streams in HEARS.items():
        js = clients[user].jetstream()
        for stream in streams:
            durable = f"{user}-{stream.lower()}"
            await ensure_consumer(js, stream, _consumer(durable, stream))
            pull = await js.pull_subscribe_bind(durable, stream=stream)
            (message,) = await pull.fetch(1, timeout=5)
            await message.ack_sync()
            await js.publish(f"dead_letters.{durable}", b"{}")


@pytest.fixture
async def feed(clients: dict[str, Client], request: pytest.FixtureRequest) -> AsyncIterator[tuple[str, NatsConnection]]:
    """The product's own connection of a service, beside the first one of the same user."""
    user = str(request.param)
    address = clients[user].connected_url
    assert address is not None
    connection = NatsConnection(NatsSettings(nats_url=SecretStr(address.geturl())), name=user)
    await connection.connect()
    try:
        yield user, connection
    finally:
        await connection.close()


@pytest.mark.parametrize("feed", FEEDS, indirect=True)
async def test_a_service_with_a_feed_reads_its_own_stream_along(feed: tuple[str, NatsConnection]) -> None:
    user, connection = feed
    stream = OWN[user]
    told: asyncio.Queue[str] = asyncio.Queue()
    tail = Tail(
        connection,
        stream,
        on_event=lambda _sequence, subject, _body: told.put_nowait(subject),
        on_gap=lambda: told.put_nowait("gap"),
        history=10,
    )
    await connection.js.publish(_subject(stream), b"{}")
    tail.start()
    try:
        assert await asyncio.wait_for(told.get(), PATIENCE_SECONDS) == _subject(stream)
        await connection.js.publish(_subject(stream).replace("abc", "def"), b"{}")
        assert await asyncio.wait_for(told.get(), PATIENCE_SECONDS) == _subject(stream).replace("abc", "def")
    finally:
        await tail.stop()


@pytest.mark.parametrize("user", sorted(set(OWN) - set(FEEDS)))
async def test_a_service_without_a_feed_reads_no_stream_of_its_own(clients: dict[str, Client], user: str) -> None:
    js = clients[user].jetstream(timeout=REFUSED_SECONDS)

    with pytest.raises((TimeoutError, nats.errors.TimeoutError)):
        await js.add_consumer(OWN[user], ConsumerConfig(name="tail-x"))


@pytest.mark.parametrize("user", FEEDS)
async def test_a_feed_lets_nobody_take_anothers_events_away(clients: dict[str, Client], user: str) -> None:
    """On its own stream too: who removes or drains the consumer of another hides events from it."""
    stream = OWN[user]
    others = [hearer for hearer, streams in HEARS.items() if stream in streams]
    assert others
    for other in others:
        durable = f"{other}-{stream.lower()}"
        await ensure_consumer(clients[other].jetstream(), stream, _consumer(durable, stream))
        await clients[user].jetstream().publish(_subject(stream), b"{}")
        js = clients[user].jetstream(timeout=REFUSED_SECONDS)

        with pytest.raises((TimeoutError, nats.errors.TimeoutError)):
            await js.delete_consumer(stream, durable)
        with pytest.raises((TimeoutError, nats.errors.TimeoutError)):
            await js.add_consumer(stream, _consumer(durable, stream))
        pull = await js.pull_subscribe_bind(durable, stream=stream)
        with pytest.raises((TimeoutError, nats.errors.TimeoutError)):
            await pull.fetch(1, timeout=REFUSED_SECONDS)
        own = await clients[other].jetstream().pull_subscribe_bind(durable, stream=stream)
        assert await own.fetch(1, timeout=PATIENCE_SECONDS)


async def test_nobody_overhears_the_answers_to_another(clients: dict[str, Client]) -> None:
    overheard: list[str] = []

    async def keep(message: Msg) -> None:
        overheard.append(message.subject)

    for user in OWN:
        for inbox in {f"_INBOX_{other}.>" for other in OWN if other != user} | {"_INBOX.>", "*.*", ">"}:
            await clients[user].subscribe(inbox, cb=keep)
        await clients[user].flush()

    for user, stream in OWN.items():
        await clients[user].jetstream().publish(_subject(stream), b"{}")
    for client in clients.values():
        await client.flush()  # what was on its way to us has come before this answer

    assert overheard == []


@pytest.mark.parametrize("user", OWN)
async def test_no_service_speaks_for_another(clients: dict[str, Client], user: str) -> None:
    js = clients[user].jetstream()
    others = [_subject(stream) for owner, stream in OWN.items() if owner != user]
    others += [f"dead_letters.{owner}-x" for owner in OWN if owner != user]

    for subject in others:
        with pytest.raises((TimeoutError, nats.errors.TimeoutError)):
            await js.publish(subject, b"forged", timeout=REFUSED_SECONDS)


async def test_no_service_may_remove_or_read_anothers_stream_at_will(clients: dict[str, Client]) -> None:
    js = clients["tickets"].jetstream(timeout=REFUSED_SECONDS)

    with pytest.raises((TimeoutError, nats.errors.TimeoutError)):
        await js.delete_stream(PAYMENTS)
    with pytest.raises((TimeoutError, nats.errors.TimeoutError)):
        await js.get_msg(PAYMENTS, 1)
