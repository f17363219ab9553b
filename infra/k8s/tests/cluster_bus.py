"""A NATS server with the configuration of the cluster, and a connection for each of its users."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client

from ticketing_common.messaging import ensure_stream, stream_config
from ticketing_common.topology import OWNERS, SAFETY_NETS, SERVICES, STREAM_SUBJECTS
from ticketing_testkit.servers import NatsServer

__all__ = [
    "AUDIT",
    "CONSUMES",
    "OPERATOR",
    "OWN",
    "OWN_READERS",
    "PATIENCE_SECONDS",
    "READS",
    "REFUSED_SECONDS",
    "STREAMS",
    "clients",
    "refused",
    "subject_of",
]

CONFIGURATION = Path(__file__).resolve().parents[1] / "nats"
OWN = {owner.name: stream for stream, owner in OWNERS.items()}
CONSUMES = {name: service.consumes for name, service in SERVICES.items()}
READS = tuple((owner.name, stream) for owner in OWNERS.values() for stream in owner.reads)
"""Service and stream of every reader that each replica has for itself."""
OWN_READERS = tuple(name for name, stream in READS if stream == OWN[name])
REFUSED_SECONDS = 0.5
PATIENCE_SECONDS = 20.0
AUDIT = "audit"
OPERATOR = "operator"
USERS = (*SERVICES, AUDIT, OPERATOR, "route")
STREAMS = (*STREAM_SUBJECTS, *SAFETY_NETS)


class ClusterNats(NatsServer):
    """A server with the configuration files of the base, except port and folder."""

    passwords: Mapping[str, str] = {}

    def command(self) -> Sequence[str]:
        command = list(super().command())
        config = (CONFIGURATION / "nats.conf").read_text()
        config = config.replace("port: 4222", f'listen: "127.0.0.1:{self.port}"')
        config = config.replace("http_port: 8222", "").replace("store_dir: /data", f'store_dir: "{self.directory}"')
        Path(command[-1]).write_text(config)
        for name in ("users.conf", "cluster.conf", "tls.conf"):
            (self.directory / name).write_text((CONFIGURATION / name).read_text())
        return command

    def environment(self) -> Mapping[str, str]:
        names = {f"{user.upper()}_PASSWORD": value for user, value in self.passwords.items()}
        return {"POD_NAME": "nats-0", **names}


@pytest.fixture
async def clients(tmp_path: Path) -> AsyncIterator[dict[str, Client]]:
    """A connection for each service, the audit and the operator, who has declared the streams."""
    server = ClusterNats(tmp_path)
    server.passwords = {user: f"p{secrets.token_hex(8)}" for user in USERS}
    server.launch()
    connections: dict[str, Client] = {}

    async def ignore(error: Exception) -> None:
        """Ignore the server's permission errors; the tests check the effects."""

    try:
        await asyncio.to_thread(server.wait_until_ready)
        for user in (*SERVICES, AUDIT, OPERATOR):
            login = f"{user}:{server.passwords[user]}"
            address = server.url.replace("nats://", f"nats://{login}@")
            connections[user] = await nats.connect(address, error_cb=ignore, inbox_prefix=f"_INBOX_{user}")
        for name in STREAMS:
            await ensure_stream(connections[OPERATOR].jetstream(), stream_config(name, replicas=1))
        yield connections
    finally:
        for connection in connections.values():
            await connection.close()
        server.stop()


async def refused(*attempts: Awaitable[object]) -> None:
    """The server answers none of these requests, to which the user has no right. They wait side by side."""
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    assert [answer for answer in answers if not isinstance(answer, TimeoutError)] == []


def subject_of(stream: str) -> str:
    return STREAM_SUBJECTS[stream].replace(">", "created.abc")
