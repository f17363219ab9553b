"""The two sides: the tickets service as it runs, and the least that can be called an event stream."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, ClassVar

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from ticketing_bench.cpu_time import CpuTime
from ticketing_bench.pace import paced
from ticketing_bench.worker import Role
from ticketing_common.entity import new_id
from ticketing_common.web.sse import frame
from ticketing_testkit.apps import Bus, Identity, serve_app, service_settings_for
from ticketing_testkit.servers import free_port
from ticketing_tickets.app import create_app
from ticketing_tickets.domain import Ticket, TicketDetails
from ticketing_tickets.feed import ticket_message
from ticketing_tickets.publishers import ticket_created
from ticketing_tickets.settings import Settings

__all__ = ["BaselineRole", "ServiceRole"]

SELLER = new_id()
DETAILS = TicketDetails(
    title="Opening night: the long way round, stalls, row 12", price_cents=2_550, venue="The old theatre"
)


class ServiceRole(Role):
    """The whole way: a commit, the outbox, the relay, the bus, the feed, and out to every stream."""

    NAME: ClassVar[str] = "service"

    async def open(self) -> None:
        """One replica under its own server."""
        settings = service_settings_for(
            mongo_url=self.urls["mongo_url"],
            database="bench_streams",
            nats_url=self.urls["nats_url"],
            identity=Identity(),
        )
        self._stack = AsyncExitStack()
        await self._stack.enter_async_context(Bus.connect(self.urls["nats_url"]))
        self._app = create_app(Settings.model_validate(settings | {"gc_freeze": True}))
        client = await self._stack.enter_async_context(serve_app(self._app))
        self._port = client.base_url.port

    async def close(self) -> None:
        """End the service."""
        await self._stack.aclose()

    async def address(self) -> dict[str, Any]:
        """Where the stream is."""
        return {"port": self._port, "path": "/api/tickets/stream"}

    async def tell(self, rate: float, count: int) -> dict[str, Any]:
        """Put tickets on sale; when each was due and when its commit was acknowledged, by id."""

        async def send() -> str:
            ticket: Ticket = await self._app.state.service.create(SELLER, DETAILS)
            return ticket.id

        processors = CpuTime(self.NAME, self.pids)
        due, acknowledged = await paced(rate, count, send)
        return {"due": due, "acknowledged": acknowledged, "cpu": processors.cores()}


class BaselineRole(Role):
    """A queue for each stream and Starlette's own answer: no bus, no database, nobody who comes back."""

    NAME: ClassVar[str] = "plain"

    async def open(self) -> None:
        """Under the same server."""
        self._queues: set[asyncio.Queue[bytes]] = set()
        self._told = 0
        self._port = free_port()
        app = Starlette(routes=[Route("/stream", self._stream)])
        config = uvicorn.Config(app, port=self._port, log_config=None, backlog=2048, timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._serving = asyncio.create_task(self._server.serve())
        while not self._server.started:  # noqa: ASYNC110 (the server offers nothing to wait for)
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        """End the server."""
        self._server.should_exit = True
        await self._serving

    async def address(self) -> dict[str, Any]:
        """Where the stream is."""
        return {"port": self._port, "path": "/stream"}

    async def tell(self, rate: float, count: int) -> dict[str, Any]:
        """Tell of tickets that nobody stored."""

        async def send() -> str:
            ticket = Ticket(
                user_id=SELLER,
                title=DETAILS.title,
                price_cents=DETAILS.price_cents,
                currency="usd",
                venue=DETAILS.venue,
                version=1,
            )
            self._told += 1
            news = ticket_message(ticket_created(ticket))
            told = frame(news.event, news.json, id=self._told)
            for queue in self._queues:
                queue.put_nowait(told)
            return ticket.id

        processors = CpuTime("service", self.pids)
        due, acknowledged = await paced(rate, count, send)
        return {"due": due, "acknowledged": acknowledged, "cpu": processors.cores()}

    async def _stream(self, _request: Request) -> StreamingResponse:
        return StreamingResponse(self._chunks(), media_type="text/event-stream")

    async def _chunks(self) -> AsyncIterator[bytes]:
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._queues.add(queue)
        try:
            yield frame("ready", b"{}", id=self._told)
            while True:
                yield await queue.get()
        finally:
            self._queues.discard(queue)
