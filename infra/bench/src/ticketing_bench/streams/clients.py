"""A thousand browsers in one process: each is an open connection that records the arrival of each ticket's event."""

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, ClassVar, Final, cast

from ticketing_bench.cpu_time import CpuTime
from ticketing_bench.worker import Role

COLLECT_SECONDS: Final = 30.0
OPEN_AT_ONCE: Final = 50
_TICKET: Final = re.compile(rb'data: \{"id":"([0-9a-f]{24})"')
_READY: Final = b"event: ready\n"


class _Browser(asyncio.Protocol):
    """Parses only the ticket's id; joins fragments first."""

    def __init__(self, request: bytes, received: Callable[[bytes, float], None]) -> None:
        self.ready = asyncio.get_running_loop().create_future()
        self._request = request
        self._received = received
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        events, _, self._rest = (self._rest + data).rpartition(b"\n\n")
        if not self.ready.done() and _READY in events:
            self.ready.set_result(None)
        for ticket in _TICKET.finditer(events):
            self._received(ticket[1], now)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(error or ConnectionError("closed before it was ready"))


class ClientsRole(Role):
    """All streams of one side."""

    NAME: ClassVar[str] = "clients"

    def __init__(self, **setup: Any) -> None:
        super().__init__(**setup)
        self._browsers: list[_Browser] = []
        self._arrivals: defaultdict[str, list[float]] = defaultdict(list)
        self._count = 0

    async def arrive(self, port: int, path: str, browsers: int) -> dict[str, Any]:
        """Open `browsers` streams; returns when each has received the ready event."""
        self._arrivals.clear()
        self._count = 0
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n\r\n".encode()
        loop = asyncio.get_running_loop()
        places = asyncio.Semaphore(OPEN_AT_ONCE)

        async def one() -> None:
            async with places:
                _, browser = await loop.create_connection(lambda: _Browser(request, self._record), "127.0.0.1", port)
                await browser.ready
                self._browsers.append(browser)

        async with asyncio.timeout(COLLECT_SECONDS), asyncio.TaskGroup() as group:
            for _ in range(browsers):
                group.create_task(one())
        return {}

    async def collect(self, count: int) -> dict[str, Any]:
        """Wait for `count` deliveries; returns their times by ticket."""
        processors = CpuTime(self.NAME, {})
        deadline = time.monotonic() + COLLECT_SECONDS
        while self._count < count and time.monotonic() < deadline:  # noqa: ASYNC110 (an event each would cost)
            await asyncio.sleep(0.05)
        return {"arrivals": dict(self._arrivals), "cpu": processors.cores()}

    async def leave(self) -> dict[str, Any]:
        """Close all."""
        for browser in self._browsers:
            browser.transport.abort()
        self._browsers.clear()
        return {}

    async def close(self) -> None:
        """Close all connections."""
        await self.leave()

    def _record(self, ticket: bytes, at: float) -> None:
        self._count += 1
        self._arrivals[ticket.decode()].append(at)
