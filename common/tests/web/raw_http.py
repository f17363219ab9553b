"""Connections that send bytes as a hostile peer would."""

import asyncio
import json
from dataclasses import dataclass

import httpx

from ticketing_common.web import http_protocol
from ticketing_common.web.http_protocol import HttpProtocol

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


def connections() -> list[HttpProtocol]:
    found = [connection for state in http_protocol._SERVERS for connection in state.connections]
    return [connection for connection in found if isinstance(connection, HttpProtocol)]
