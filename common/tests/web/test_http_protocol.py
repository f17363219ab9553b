"""The HTTP server with hostile peers: slow, endless, many or no bytes."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from ticketing_common.web import connections as writing
from ticketing_common.web import http_protocol, request_bodies
from ticketing_common.web.http_protocol import HttpProtocol
from ticketing_testkit.apps import Identity, serve_app

QUICK = 0.3
PATIENT = 60.0


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Connection:
    """A connection to the service under test."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def drip(self, data: bytes, *, pause: float = 0.02) -> None:
        """Send byte by byte, until the server closes the connection."""
        try:
            for byte in data:
                self._writer.write(bytes([byte]))
                await self._writer.drain()
                await asyncio.sleep(pause)
        except ConnectionError:
            pass

    async def answer(self, *, method: str = "GET") -> Answer:
        async with asyncio.timeout(PATIENT):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            pairs = [line.split(": ", 1) for line in head[1:] if line]
            headers = {name.title(): value for name, value in pairs}
            assert len(headers) == len(pairs), f"a header twice: {pairs}"
            length = 0 if method == "HEAD" else int(headers.get("Content-Length", 0))
            return Answer(int(head[0].split()[1]), headers, await self._reader.readexactly(length))

    async def is_closed(self, *, within: float = PATIENT) -> bool:
        """Whether the server closes it; discards the response."""
        try:
            async with asyncio.timeout(within):
                while await self._reader.read(65_536):
                    pass
        except ConnectionError:
            return True
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        self._writer.transport.abort()


class Server:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self._open: list[Connection] = []

    async def connect(self, data: bytes = b"") -> Connection:
        reader, writer = await asyncio.open_connection(self.client.base_url.host, self.client.base_url.port)
        connection = Connection(reader, writer)
        self._open.append(connection)
        if data:
            connection.send(data)
        return connection

    async def answer(self, data: bytes, *, method: str = "GET") -> Answer:
        return await (await self.connect(data)).answer(method=method)

    async def close(self) -> None:
        for connection in self._open:
            await connection.close()


@pytest.fixture
async def server(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    """With long time limits; a test of what exceeds one of them shortens that one."""
    for name in ("HEAD_SECONDS", "DRAIN_SECONDS", "WRITE_SECONDS"):
        monkeypatch.setattr(http_protocol, name, PATIENT)
    monkeypatch.setattr(writing, "WRITE_SECONDS", PATIENT)
    monkeypatch.setattr(request_bodies, "GRACE_SECONDS", PATIENT)
    async with serve_app(app) as client:
        server = Server(client)
        try:
            yield server
        finally:
            await server.close()


def request(method: str, path: str, *headers: str) -> bytes:
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: things", *headers, "", "")).encode()


HEALTH = request("GET", "/healthz")


def assert_a_refusal(answer: Answer, status: int) -> None:
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Connection"] == "close"
    assert "Server" not in answer.headers
    problem = json.loads(answer.body)
    assert problem["status"] == status
    assert problem["errors"]


# --- heads ---------------------------------------------------------------------------------------------------------


async def test_a_connection_that_says_nothing_is_closed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", QUICK)
    assert await (await server.connect()).is_closed()


async def test_a_head_that_comes_too_slowly_is_ended_with_408(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", QUICK)
    connection = await server.connect()
    dripping = asyncio.create_task(connection.drip(request("GET", "/healthz", "X-Long: " + "x" * 5_000)))
    assert_a_refusal(await connection.answer(), 408)
    assert await connection.is_closed()
    await dripping


async def test_so_is_the_second_one_of_a_connection(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = await server.connect(HEALTH)
    assert (await connection.answer()).status == 200
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", QUICK)
    connection.send(b"GET /heal")
    assert_a_refusal(await connection.answer(), 408)


async def test_a_head_in_pieces_is_read(server: Server) -> None:
    connection = await server.connect()
    await connection.drip(HEALTH, pause=0.001)
    assert (await connection.answer()).status == 200


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(request("GET", "/healthz", "X-Long: " + "x" * 40_000), id="one-long-header"),
        pytest.param(request("GET", "/healthz?" + "x" * 40_000), id="a-long-path"),
        pytest.param(request("GET", "/healthz", *(f"X-{number}: x" for number in range(200))), id="many-headers"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nX-Long: " + b"x" * 1_000_000, id="a-header-without-end"),
        pytest.param(b"GET /" + b"x" * 1_000_000, id="a-path-without-end"),
    ],
)
async def test_a_head_that_is_too_large_is_a_431(server: Server, head: bytes) -> None:
    connection = await server.connect(head)
    assert_a_refusal(await connection.answer(), 431)
    assert await connection.is_closed()


async def test_a_large_head_and_a_large_body_are_no_large_head(server: Server, identity: Identity) -> None:
    body = json.dumps({"title": "x" * 60_000, "price": 1}).encode()
    authorization = f"Authorization: Bearer {identity.token()}"
    head = request(
        "POST",
        "/api/things",
        authorization,
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "X-Long: " + "x" * 20_000,
    )
    assert (await server.answer(head + body)).status == 201


@pytest.mark.parametrize(
    "bytes_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /healthz HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"BREW /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /api/things HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost : things\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: things\r\n\r\n",
        b"CONNECT things:443 HTTP/1.1\r\nHost: things\r\n\r\n",
    ],
)
async def test_what_the_server_itself_refuses_looks_like_our_own_refusals(server: Server, bytes_: bytes) -> None:
    connection = await server.connect(bytes_)
    answer = await connection.answer()
    if answer.status == 400:
        assert_a_refusal(answer, 400)
        assert await connection.is_closed()
    else:  # `*` and an authority are no path of ours
        assert answer.status in {404, 405}
        assert answer.headers["Content-Type"] == "application/problem+json"


async def test_nothing_names_the_server(server: Server) -> None:
    for data in (HEALTH, request("GET", "/nothing"), request("PATCH", "/api/things"), b"nonsense\r\n\r\n"):
        answer = await server.answer(data)
        assert "Server" not in answer.headers
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_an_upgrade_is_not_offered(server: Server) -> None:
    upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: eA==")
    answer = await server.answer(request("GET", "/healthz", *upgrade))
    assert (answer.status, answer.body) == (200, b'{"status":"ok"}')


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/api/things", "/api/things/docs", "/nothing"])
async def test_head_sends_no_body_and_leaves_the_connection_as_it_was(server: Server, path: str) -> None:
    connection = await server.connect(request("HEAD", path) + HEALTH)
    assert (await connection.answer(method="HEAD")).headers["Content-Length"] != "0"
    assert (await connection.answer()).body == b'{"status":"ok"}'


# --- bodies --------------------------------------------------------------------------------------------------------


def post(identity: Identity, *headers: str) -> bytes:
    return request(
        "POST", "/api/things", f"Authorization: Bearer {identity.token()}", "Content-Type: application/json", *headers
    )


@pytest.mark.parametrize("kind", ["Content-Length: 60000", "Transfer-Encoding: chunked"])
async def test_a_body_that_comes_too_slowly_is_ended_with_408(
    server: Server, app: FastAPI, identity: Identity, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_bodies, "GRACE_SECONDS", QUICK)
    connection = await server.connect(post(identity, kind))
    dripping = asyncio.create_task(connection.drip(b"1\r\nx\r\n" * 1_000))
    assert_a_refusal(await connection.answer(), 408)
    assert await connection.is_closed()
    await dripping
    assert app.state.calls == 0


async def test_slow_bodies_do_not_count_as_in_flight(server: Server, identity: Identity) -> None:
    for _ in range(20):
        await server.connect(post(identity, "Content-Length: 60000") + b"{")
    metrics = (await server.client.get("/metrics")).text
    assert 'requests_in_flight{service="things"} 0.0' in metrics


async def test_trailers_become_no_headers(server: Server, identity: Identity, app: FastAPI) -> None:
    body = b'{"title": "A thing", "price": 10}'
    chunked = request("POST", "/api/things", "Content-Type: application/json", "Transfer-Encoding: chunked")
    sent = chunked + b"%x\r\n%b\r\n0\r\nAuthorization: Bearer %b\r\n\r\n" % (
        len(body),
        body,
        identity.token().encode(),
    )
    assert (await server.answer(sent)).status == 401


async def test_trailers_without_end_are_not_kept(
    server: Server, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_bodies, "GRACE_SECONDS", 2.0)  # long enough to look in between
    connection = await server.connect(post(identity, "Transfer-Encoding: chunked") + b"0\r\n")
    for number in range(2_000):
        connection.send(b"X-%d: x\r\n" % number)
    answering = asyncio.create_task(connection.answer())
    kept = 0
    while not answering.done():
        kept = max(
            [
                kept,
                *(
                    len(one.headers) + len(list(one.scope["headers"]))
                    for one in connections()
                    if getattr(one, "headers", None) is not None  # None before a request, though declared otherwise
                ),
            ]
        )
        await asyncio.sleep(0.01)
    assert_a_refusal(await answering, 408)
    assert 0 < kept < 10


async def test_an_announced_body_that_is_too_large_is_refused_before_it_comes(
    server: Server, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await server.connect(post(identity, "Content-Length: 99999999999999999999"))
    assert (await connection.answer()).status in {400, 413}
    monkeypatch.setattr(http_protocol, "DRAIN_SECONDS", QUICK)
    connection = await server.connect(post(identity, "Content-Length: 1000000"))
    assert (await connection.answer()).status == 413
    dripping = asyncio.create_task(connection.drip(b"x" * 10_000))
    assert await connection.is_closed(), "the rest of it is not waited for"
    await dripping


async def test_after_a_refusal_the_rest_of_a_short_body_is_skipped(server: Server, identity: Identity) -> None:
    connection = await server.connect(post(identity, "Content-Length: 70000") + b"x" * 69_999)
    assert (await connection.answer()).status == 413
    connection.send(b"x" + HEALTH)
    assert (await connection.answer()).status == 200


# --- callers that do not read, and crowds ---------------------------------------------------------------------------


async def test_more_pipelined_requests_than_may_wait_end_the_connection(server: Server) -> None:
    connection = await server.connect(HEALTH * 10_000)
    assert await connection.is_closed()
    assert (await server.answer(HEALTH)).status == 200


async def test_a_few_pipelined_requests_are_answered_in_order(server: Server) -> None:
    connection = await server.connect(HEALTH * 5 + request("GET", "/nothing") + HEALTH)
    assert [(await connection.answer()).status for _ in range(7)] == [200] * 5 + [404, 200]


async def test_a_caller_that_does_not_read_is_left(
    app: FastAPI, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    @app.get("/large")
    async def large() -> Any:
        return "x" * 50_000_000

    reader, writer = await asyncio.open_connection(server.client.base_url.host, server.client.base_url.port, limit=1)
    monkeypatch.setattr(http_protocol, "WRITE_SECONDS", QUICK)
    monkeypatch.setattr(writing, "WRITE_SECONDS", QUICK)
    writer.write(request("GET", "/large"))
    async with asyncio.timeout(PATIENT):
        while not unread():  # noqa: ASYNC110 (until the answer is on its way)
            await asyncio.sleep(0.01)
        while unread():  # noqa: ASYNC110 (until it is given up)
            await asyncio.sleep(0.01)
    writer.transport.abort()
    assert reader is not None


def connections() -> list[HttpProtocol]:
    found = [connection for state in http_protocol._SERVERS for connection in state.connections]
    return [connection for connection in found if isinstance(connection, HttpProtocol)]


def unread() -> list[HttpProtocol]:
    """Connections whose response waits for the caller."""
    return [connection for connection in connections() if connection.transport.get_write_buffer_size()]


async def test_many_idle_connections_do_not_block_a_new_one(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 60)
    assert (await server.answer(HEALTH)).status == 200
    for callers in http_protocol._SERVERS.values():
        monkeypatch.setattr(callers, "limit", 10)
    crowd = [await server.connect(b"GET /healthz HTTP/1.1\r\nX-Slow: ") for _ in range(30)]
    for _ in range(5):
        assert (await server.answer(HEALTH)).status == 200
    assert await crowd[0].is_closed()
    assert not await crowd[-1].is_closed(within=0.1)
