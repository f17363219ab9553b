"""The tickets service under its own HTTP server."""

from contextlib import AsyncExitStack
from typing import Any, ClassVar

from ticketing_bench.cpu_time import CpuTime
from ticketing_bench.pace import paced
from ticketing_bench.worker import Role
from ticketing_common.entity import new_id
from ticketing_testkit.apps import Bus, Identity, serve_app, service_settings_for
from ticketing_tickets.app import create_app
from ticketing_tickets.domain import Ticket, TicketDetails
from ticketing_tickets.settings import Settings

SELLER = new_id()
DETAILS = TicketDetails(
    title="Opening night: the long way round, stalls, row 12", price_cents=2_550, venue="The old theatre"
)


class ServiceRole(Role):
    """The whole path: commit, outbox, relay, bus, live feed, and every stream."""

    NAME: ClassVar[str] = "service"

    async def open(self) -> None:
        """Start one replica under its own HTTP server."""
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
        """The address of the stream."""
        return {"port": self._port, "path": "/api/tickets/stream"}

    async def create(self, rate: float, count: int) -> dict[str, Any]:
        """Create tickets at a rate; returns the due time of each, by id."""

        async def send() -> str:
            ticket: Ticket = await self._app.state.service.create(SELLER, DETAILS)
            return ticket.id

        processors = CpuTime(self.NAME, self.pids)
        due, _ = await paced(rate, count, send)
        return {"due": due, "cpu": processors.cores()}
