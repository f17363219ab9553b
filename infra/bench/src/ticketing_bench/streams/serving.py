"""The tickets service as it runs, under its own server."""

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

__all__ = ["ServiceRole"]

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
