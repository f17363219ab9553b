"""Shared by both sides of every comparison: connections, an empty stream, orders with events, raw publishing."""

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from nats.js import JetStreamContext
from nats.js.api import Header, StreamInfo
from nats.js.errors import NotFoundError
from pydantic import SecretStr

from ticketing_bench.seed_data import ticket_on_sale
from ticketing_bench.worker import Role
from ticketing_common.entity import new_id
from ticketing_common.messaging import NatsConnection, ensure_stream, stream_config
from ticketing_common.settings import NatsSettings
from ticketing_common.storage import Database, OutboxEntry, connect
from ticketing_common.telemetry import trace_scope
from ticketing_common.topology import ORDERS
from ticketing_orders.domain import Order
from ticketing_orders.publishers import order_created

WINDOW: Final = 256
WINDOWS_IN_FLIGHT: Final = 4
"""The window sizes of the relay; the raw side uses the same."""
ACK_SECONDS: Final = 10.0


class DeliveryRole(Role):
    """A role with MongoDB and NATS, connected as in a service."""

    database: Database
    connection: NatsConnection

    async def open(self) -> None:
        """Connect to both; the role has its own database."""
        self._client = connect(self.urls["mongo_url"], application=self.NAME)
        self.database = self._client[f"bench_{self.NAME}"]
        settings = NatsSettings(nats_url=SecretStr(self.urls["nats_url"]))
        self.connection = NatsConnection(settings, name=self.NAME)
        await self.connection.connect()

    async def close(self) -> None:
        """Leave both."""
        await self.connection.close()
        self._client.close()

    @property
    def js(self) -> JetStreamContext:
        """JetStream, with the client's own calls."""
        return self.connection.js

    async def empty_stream(self) -> None:
        """Create the ORDERS stream again as its owner declares it, so that earlier messages slow down no side."""
        with suppress(NotFoundError):
            await self.js.delete_stream(ORDERS)
        await ensure_stream(self.js, stream_config(ORDERS, replicas=1))

    async def stored(self) -> int:
        """The number of messages in the stream."""
        info: StreamInfo = await self.js.stream_info(ORDERS)
        return info.state.messages


def make_order() -> Order:
    """A hold of a new ticket."""
    return Order.place(ticket_on_sale(), user_id=new_id(), window_seconds=900)


def make_orders(count: int) -> list[tuple[Order, OutboxEntry]]:
    """New orders at version 1 with their events, within a trace as in a request."""
    made = []
    for _ in range(count):
        order = make_order()
        order.version = 1
        with trace_scope(None):
            made.append((order, OutboxEntry.of(order_created(order))))
    return made


async def publish_windowed(js: JetStreamContext, entries: Sequence[OutboxEntry]) -> None:
    """The baseline: `js.publish` in windows, several in flight at a time, every acknowledgement awaited."""
    in_flight = asyncio.Semaphore(WINDOWS_IN_FLIGHT)

    async def window(chosen: Sequence[OutboxEntry]) -> None:
        try:
            await asyncio.gather(
                *(
                    js.publish(
                        entry.subject,
                        entry.body,
                        ACK_SECONDS,
                        headers={"traceparent": entry.traceparent or "", Header.MSG_ID.value: entry.id},
                    )
                    for entry in chosen
                )
            )
        finally:
            in_flight.release()

    async with asyncio.TaskGroup() as group:
        for first in range(0, len(entries), WINDOW):
            await in_flight.acquire()
            group.create_task(window(entries[first : first + WINDOW]))


def durable() -> str:
    """A consumer name that no earlier round used."""
    return f"bench-{secrets.token_hex(4)}"
