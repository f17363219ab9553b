"""The NATS configuration as a real server takes it: each service tells its own events and no other's."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import nats
import nats.errors
import pytest
from nats.aio.client import Client

from ticketing_common.events.subjects import EXPIRATIONS, ORDERS, PAYMENTS, SAFETY_NETS, STREAM_SUBJECTS, TICKETS
from ticketing_common.messaging import consumer_config, ensure_consumer, ensure_stream, stream_config
from ticketing_common.testing.servers import NatsServer

CONFIGURATION = Path(__file__).resolve().parents[1] / "nats"
OWN = {"tickets": TICKETS, "orders": ORDERS, "payments": PAYMENTS, "expiration": EXPIRATIONS}
HEARS = {"tickets": [ORDERS], "orders": [TICKETS, PAYMENTS, EXPIRATIONS], "payments": [ORDERS], "expiration": [ORDERS]}
REFUSED_SECONDS = 0.5
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
            connections[user] = await nats.connect(address, error_cb=ignore)
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


async def test_every_service_can_tell_hear_and_bury(clients: dict[str, Client]) -> None:
    for user, stream in OWN.items():
        await clients[user].jetstream().publish(_subject(stream), b"{}")
    for user, streams in HEARS.items():
        js = clients[user].jetstream()
        for stream in streams:
            durable = f"{user}-{stream.lower()}"
            config = consumer_config(
                durable,
                filter_subjects=[_subject(stream).replace(".abc", ".*")],
                ack_wait_seconds=30,
                max_ack_pending=100,
                max_deliver=10,
                replicas=1,
            )
            await ensure_consumer(js, stream, config)
            pull = await js.pull_subscribe_bind(durable, stream=stream)
            (message,) = await pull.fetch(1, timeout=5)
            await message.ack_sync()
            await js.publish(f"dead_letters.{durable}", b"{}")


async def test_a_service_can_follow_its_own_stream_for_a_feed(clients: dict[str, Client]) -> None:
    for user, stream in OWN.items():
        js = clients[user].jetstream()
        await js.publish(_subject(stream), b"{}")
        feed = await js.subscribe("", stream=stream, ordered_consumer=True)
        assert (await feed.next_msg(timeout=5)).subject == _subject(stream)
        await feed.unsubscribe()


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
