"""The HTTP server with hostile peers: slow, endless, many or no bytes."""

import asyncio
import json
import socket
import struct
from typing import Any

import pytest
from fastapi import FastAPI

from ticketing_common.web import connections as writing
from ticketing_common.web import http_protocol
from ticketing_testkit.apps import Identity
from ticketing_testkit.waiting import until

from .raw_http import HEALTH, QUICK, Server, assert_a_refusal, connections, request


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


async def test_a_reset_connection_leaves_no_timer(server: Server) -> None:
    reader, writer = await asyncio.open_connection(server.client.base_url.host, server.client.base_url.port)
    writer.write(HEALTH)
    await reader.readuntil(b"ok")
    (lost,) = connections()
    await until(lambda: lost.timeout_keep_alive_task)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    await until(lambda: not connections())
    assert lost.timeout_keep_alive_task is None


async def test_an_idle_connection_is_closed_only_after_what_has_arrived_is_read(server: Server) -> None:
    """A busy event loop runs a timer before it reads."""
    connection = await server.connect(HEALTH)
    assert (await connection.answer()).status == 200
    (kept,) = connections()
    connection.send(HEALTH)  # it is in the kernel, and the loop has not read it
    kept.timeout_keep_alive_handler()
    assert (await connection.answer()).status == 200
    kept.timeout_keep_alive_handler()
    assert await connection.is_closed()


async def test_so_is_a_connection_before_its_first_request(server: Server) -> None:
    connection = await server.connect()
    await until(connections)
    (silent,) = connections()
    connection.send(HEALTH)
    silent._on_head_timeout()
    assert (await connection.answer()).status == 200


# --- callers that do not read, and many connections ------------------------------------------------------------


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
    called = asyncio.Event()

    @app.get("/large")
    async def large() -> Any:
        called.set()
        return "x" * 50_000_000

    reader, writer = await asyncio.open_connection(server.client.base_url.host, server.client.base_url.port, limit=1)
    monkeypatch.setattr(http_protocol, "WRITE_SECONDS", QUICK)
    monkeypatch.setattr(writing, "WRITE_SECONDS", QUICK)
    writer.write(request("GET", "/large"))
    await called.wait()
    await until(lambda: not connections())
    writer.transport.abort()
    assert reader is not None


async def test_many_idle_connections_do_not_block_a_new_one(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 60)
    assert (await server.answer(HEALTH)).status == 200
    for callers in http_protocol._SERVERS.values():
        monkeypatch.setattr(callers, "limit", 10)
    slow = [await server.connect(b"GET /healthz HTTP/1.1\r\nX-Slow: ") for _ in range(30)]
    for _ in range(5):
        assert (await server.answer(HEALTH)).status == 200
    assert await slow[0].is_closed()
    assert not await slow[-1].is_closed(within=0.1)
