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
IDLE_SECONDS: Final = 4.0
"""A connection is not used again after that time without a request: uvicorn closes it after five seconds, and a request
that is sent at that moment gets no response (RFC 9112, 9.5)."""


def http_request(method: str, path: str, *, token: str | None = None, body: object = None) -> str:
    """A request as sent, with an optional JSON body; ASCII only."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    content = "" if body is None else json.dumps(body)
    if content:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", content])


class _Connection(asyncio.Protocol):
    """Sends one request at a time."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._body = b""
        self._transport: asyncio.Transport
        self._idle_since = self._loop.time()

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body, after the complete response; raises ConnectionError."""
        self._answer = self._loop.create_future()
        self._body = b""
        self._transport.write(request)
        answer = await self._answer
        self._idle_since = self._loop.time()
        return answer

    @property
    def usable(self) -> bool:
        """Whether the server keeps it open for another request."""
        return not self._transport.is_closing() and self._loop.time() - self._idle_since < IDLE_SECONDS

    def close(self) -> None:
        """Close the connection, also during a request."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, part: bytes) -> None:
        """Called by the parser for a part of the body."""
        self._body += part

    def on_message_complete(self) -> None:
        """Called by the parser at the end of the response."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((self._parser.get_status_code(), self._body))

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("closed before the answer"))


class Connections:
    """A pool of connections to the replicas of one server, in turn; without a limit."""

    def __init__(self, *ports: int) -> None:
        self._ports = itertools.cycle(ports)
        self._all: list[_Connection] = []
        self._free: list[_Connection] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._all:
            connection.close()

    async def open(self, count: int) -> None:
        """Open so many for the first requests, which then do not wait for them."""
        self._free += [await self._connect() for _ in range(count)]

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the response, over a free connection; one whose request was cancelled is not used again.

        Raises ConnectionError when the server closes the connection during the request.
        """
        while self._free and not self._free[-1].usable:
            self._free.pop().close()
        connection = self._free.pop() if self._free else await self._connect()
        answer = await connection.ask(request)
        self._free.append(connection)
        return answer

    async def _connect(self) -> _Connection:
        made: tuple[Any, _Connection] = await asyncio.get_running_loop().create_connection(
            _Connection, HOST, next(self._ports)
        )
        self._all.append(made[1])
        return made[1]
