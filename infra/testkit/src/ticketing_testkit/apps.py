"""Runs a service inside a test: its settings, its HTTP clients, and the other services' side of the bus."""

import asyncio
import socket
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from secrets import token_bytes
from typing import Any, Final, Self, TypeVar

import httpx
import jwt
import nats
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from fastapi import FastAPI
from nats.aio.client import Client
from nats.js import JetStreamContext

from ticketing_common.entity import new_id
from ticketing_common.events import Event, parse_event
from ticketing_common.messaging import ensure_stream, stream_config
from ticketing_common.topology import SAFETY_NETS, STREAM_SUBJECTS
from ticketing_common.web.http_protocol import HttpProtocol

E = TypeVar("E", bound=Event)

ISSUER: Final = "https://ticketing.dev"
AUDIENCE: Final = "ticketing"
EXPECT_SECONDS: Final = 30.0


class Identity:
    """Issues tokens for test users; every session has new keys, for tokens and for passes."""

    def __init__(self) -> None:
        key = Ed25519PrivateKey.generate()
        self.private_key_pem = private_pem(key)
        self.public_key_pem = public_pem(key)
        pass_key = Ed25519PrivateKey.generate()
        self.pass_key_pem, self.pass_public_key_pem = private_pem(pass_key), public_pem(pass_key)
        self.second_factor_key = b64encode(token_bytes(32)).decode()

    def token(self, user_id: str | None = None, email: str = "someone@example.com", **claims: Any) -> str:
        """A valid token; `claims` replace single claims, None removes one."""
        now = int(time.time())
        payload = {
            "sub": user_id or new_id(),
            "email": email,
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 600,
            "auth_time": now,
            "jti": new_id(),
            **claims,
        }
        payload = {name: value for name, value in payload.items() if value is not None}
        return jwt.encode(payload, self.private_key_pem, algorithm="EdDSA")

    def headers(self, user_id: str | None = None, email: str = "someone@example.com", **claims: Any) -> dict[str, str]:
        """An Authorization header with a token of this user."""
        return {"Authorization": f"Bearer {self.token(user_id, email, **claims)}"}


def private_pem(key: Ed25519PrivateKey) -> str:
    """The key as the services read it from their environment."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(key: Ed25519PrivateKey) -> str:
    """The public half of the key, likewise."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def service_settings_for(*, mongo_url: str, database: str, nats_url: str, identity: Identity) -> dict[str, object]:
    """Keyword arguments for any service's Settings; a service ignores those of the others."""
    return {
        "mongo_url": mongo_url,
        "mongo_database": database,
        "nats_url": nats_url,
        "jwt_public_keys": [identity.public_key_pem],
        "pass_key": identity.pass_key_pem,
        "second_factor_keys": [identity.second_factor_key],
        "cookie_secure": False,
        "allowed_origins": ["http://testserver"],
        "overtake_wait_seconds": 0.3,
        "max_streams_per_address": 0,  # all clients of a test or a benchmark share one address
        "max_stream_opens_per_minute": 0,
        "max_loop_lag_seconds": 0,  # one loop runs the service, its dependencies and the test
        "gc_freeze": False,  # frozen garbage of this service would stay for all later tests
        "log_level": "warning",
    }


@asynccontextmanager
async def run_app(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Start the service, wait until it is ready, and yield an HTTP client that uses no socket."""
    async with app.router.lifespan_context(app):
        await app.state.runtime.wait_until_ready()
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            yield client


@asynccontextmanager
async def serve_app(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """As `run_app`, but with an HTTP server and real sockets, for streamed responses."""
    config = uvicorn.Config(app, http=HttpProtocol, server_header=False, log_config=None, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started and not serving.done():  # noqa: ASYNC110 (the server offers nothing to wait for)
                await asyncio.sleep(0.01)
            await app.state.runtime.wait_until_ready()
            port = listener.getsockname()[1]
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                yield client
        finally:
            server.should_exit = True
            await serving


class Bus:
    """The event bus as used by the other services."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.js: JetStreamContext = client.jetstream()

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str) -> AsyncIterator[Self]:
        """Connect, and declare every stream as its owner does."""
        client = await nats.connect(url)
        try:
            connected = cls(client)
            for name in (*STREAM_SUBJECTS, *SAFETY_NETS):
                await ensure_stream(connected.js, stream_config(name, replicas=1))
            yield connected
        finally:
            await client.close()

    async def publish(self, event: Event) -> None:
        """Publish an event as its owner's relay does."""
        await self.js.publish(event.nats_subject, event.to_json(), headers={"Nats-Msg-Id": event.id})

    async def events(self, event_class: type[E]) -> list[E]:
        """All events of one class that are in the stream now, oldest first."""
        stream = next(name for name, subject in STREAM_SUBJECTS.items() if event_class.NAME.startswith(subject[:-1]))
        info = await self.js.stream_info(stream)
        found: list[E] = []
        # A stream that never had a message reports 0 as its first sequence, and there is no such message.
        for sequence in range(max(1, info.state.first_seq), info.state.last_seq + 1):
            message = await self.js.get_msg(stream, sequence)
            event = parse_event(str(message.subject), message.data or b"")
            if isinstance(event, event_class):
                found.append(event)
        return found

    async def expect(self, event_class: type[E], matches: Callable[[E], bool] = lambda _event: True) -> E:
        """Wait for an event, including earlier ones; raises TimeoutError after 30 s."""
        async with asyncio.timeout(EXPECT_SECONDS):
            while True:
                for event in await self.events(event_class):
                    if matches(event):
                        return event
                await asyncio.sleep(0.02)
