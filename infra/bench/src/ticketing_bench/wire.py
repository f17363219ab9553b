"""HTTP/1.1 for load generation: persistent connections and the parser of httptools.

Server, database and generator share the CPU, so the generator must be cheap. docs/decisions/0012 says why no load tool
is used.
"""

import asyncio
import itertools
import json
from types import TracebackType
from typing import Any, Final, Self, cast

import httptools

HOST: Final = "127.0.0.1"


def http_request(method: str, path: str, *, token: str | None = None, body: object = None) -> str:
    """A request as sent, with an optional JSON body; ASCII only."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    content = "" if body is None else json.dumps(body)
    if content:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", content])


class Connection(asyncio.Protocol):
    """Sends one request at a time; keeps status and `body` of the response."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[int] | None = None
        self.body = b""
        self._transport: asyncio.Transport

    async def ask(self, request: bytes) -> int:
        """The status, after the complete response; raises ConnectionError."""
        if self.closed:
            raise ConnectionError("the connection is closed")
        self._answer = asyncio.get_running_loop().create_future()
        self.body = b""
        self._transport.write(request)
        return await self._answer

    @property
    def closed(self) -> bool:
        """Whether the connection is closed."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Close the connection, also during a request."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, part: bytes) -> None:
        """Called by the parser for a part of the body."""
        self.body += part

    def on_message_complete(self) -> None:
        """Called by the parser at the end of the response."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(self._parser.get_status_code())

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("closed before the answer"))


class Connections:
    """A pool of connections to the replicas of one server, in turn; without a limit."""

    def __init__(self, *ports: int) -> None:
        self._ports = itertools.cycle(ports)
        self._all: list[Connection] = []
        self._free: list[Connection] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._all:
            connection.close()

    async def open(self) -> Connection:
        """A new connection, which is closed with the others."""
        made: tuple[Any, Connection] = await asyncio.get_running_loop().create_connection(
            Connection, HOST, next(self._ports)
        )
        self._all.append(made[1])
        return made[1]

    async def ask(self, request: bytes) -> int:
        """Send over a free connection; one whose request was cancelled is not used again.

        A connection that the server closed is not used either: servers close connections after some idle seconds.
        """
        while self._free and self._free[-1].closed:
            self._free.pop()
        connection = self._free.pop() if self._free else await self.open()
        status = await connection.ask(request)
        self._free.append(connection)
        return status
