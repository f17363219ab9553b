"""Peers that do not read, and peers that vanished: the server's buffers and time limits for them."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from ticketing_common.web import EventStream, connections
from ticketing_common.web.connections import BoundedConnection
from ticketing_common.web.sse import SseConnection
from ticketing_testkit.waiting import until

pytestmark = pytest.mark.unit

LONG = 64 * 2**20


class Target:
    """An application with a long response and an event stream, which records how they end."""

    def __init__(self) -> None:
        self.sent = 0
        self.ended = asyncio.Event()
        self.following = 0
        self.app = Starlette(routes=[Route("/long", self.long), Route("/stream", self.stream)])

    async def long(self, _request: Request) -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            try:
                while self.sent < LONG:
                    self.sent += 65_536
                    yield b"x" * 65_536
                    await asyncio.sleep(0)  # so that the end of the connection can be noticed
            finally:
                self.ended.set()

        return StreamingResponse(pieces())

    async def stream(self, _request: Request) -> EventStream:
        return EventStream(self.follow())

    @asynccontextmanager
    async def follow(self) -> AsyncIterator[SseConnection]:
        self.following += 1
        try:
            yield SseConnection(heartbeat_seconds=15)
        finally:
            self.following -= 1


@asynccontextmanager
async def served(target: Target) -> AsyncIterator[int]:
    server = uvicorn.Server(uvicorn.Config(target.app, http=BoundedConnection, log_config=None, lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


async def test_a_response_that_is_not_read_is_reset_and_its_buffer_dropped(
    monkeypatch: pytest.MonkeyPatch, transports: list[asyncio.Transport], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connections, "WRITE_SECONDS", 0.5)
    target = Target()
    async with served(target) as port, asyncio.timeout(30):
        with socket.socket() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.connect(("127.0.0.1", port))
            peer.sendall(b"GET /long HTTP/1.1\r\nHost: test\r\n\r\n")
            await target.ended.wait()
            assert 0 < target.sent < LONG
            (transport,) = transports
            await until(lambda: not transport.get_write_buffer_size())
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_an_answer_that_is_read_slowly_but_steadily_is_sent_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "WRITE_SECONDS", 3.0)
    target = Target()
    async with served(target) as port, asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /long HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        received = 0
        while piece := await reader.read(2**20):
            received += len(piece)
            await asyncio.sleep(0.02)
        writer.close()
    assert received > LONG


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the kernel has no such time limit")
async def test_the_kernel_closes_the_connection_of_a_vanished_peer(transports: list[asyncio.Transport]) -> None:
    target = Target()
    async with served(target) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        await client.head("/stream")
        connection = transports[0].get_extra_info("socket")
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        idle = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
        between = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL)
        probes = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT)
        assert idle + between * probes <= 60
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000


async def test_head_of_a_stream_opens_none(transports: list[asyncio.Transport]) -> None:
    target = Target()
    async with served(target) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        for _ in range(3):
            answer = await client.head("/stream")
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.content == b""
            assert target.following == 0
        assert len(transports) == 1, "the connection goes on"
