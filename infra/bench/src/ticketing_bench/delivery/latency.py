"""Latency from the commit to the handler in another process, at a steady rate.

Open loop: every event has a due time, and its latency counts from there. A stall therefore counts for all events that
it delayed, not only for one. The product's latency so includes the write to MongoDB, which the budget, from commit to
handler, does not require.
"""

import asyncio
import time
from typing import Any, ClassVar, Final

from ticketing_bench.cpu_time import CpuTime
from ticketing_bench.pace import paced
from ticketing_common.delivery import Consumer, Relay
from ticketing_common.events import OrderCreated
from ticketing_common.storage import Lease, Outbox
from ticketing_orders.publishers import order_created
from ticketing_orders.repository import OrderRepository
from ticketing_testkit.waiting import until

from .broker import DeliveryRole, durable, make_order
from .consumer import product_consumer

COLLECT_SECONDS: Final = 30.0


class SenderRole(DeliveryRole):
    """Commits orders."""

    NAME: ClassVar[str] = "sender"

    async def open(self) -> None:
        """Start with a relay, as in every service."""
        await super().open()
        await self.empty_stream()
        self._relay = Relay(
            self.connection, service=self.NAME, lease=Lease(self.database, "relay", seconds=COLLECT_SECONDS)
        )
        outbox = Outbox(self.database["orders"], self._relay.notify)
        self._relay.watch(outbox)
        self._orders = OrderRepository(outbox)
        await self._orders.ensure_indexes()
        self._relay.start()

    async def close(self) -> None:
        """Stop the relay first."""
        await self._relay.stop()
        await super().close()

    async def empty(self) -> dict[str, Any]:
        """Empty the stream; the orders stay, as in production."""
        await self.empty_stream()
        return {}

    async def commit(self, rate: float, count: int) -> dict[str, Any]:
        """Store orders, which the relay publishes; returns the due time of each, by id."""

        async def send() -> str:
            order = make_order()
            await self._orders.add(order, order_created)
            return order.id

        processors = CpuTime("sender", self.pids)
        due, _ = await paced(rate, count, send)
        return {"due": due, "cpu": processors.cores()}


class ReceiverRole(DeliveryRole):
    """Handles orders in a separate process with the product's consumer."""

    NAME: ClassVar[str] = "receiver"

    def __init__(self, **setup: Any) -> None:
        super().__init__(**setup)
        self._handled: dict[str, float] = {}
        self._more = asyncio.Event()
        self._consumer: Consumer | None = None

    async def listen(self) -> dict[str, Any]:
        """Start to receive; returns when the consumer is bound."""
        self._handled.clear()
        self._consumer = product_consumer(self, durable(), self._handle)
        self._consumer.start()
        consumer = self._consumer
        await until(lambda: consumer.bound, COLLECT_SECONDS)
        return {}

    async def collect(self, count: int) -> dict[str, Any]:
        """Wait for `count` events, then stop; returns the time at which each was handled, by id."""
        processors = CpuTime("receiver", {})
        try:
            async with asyncio.timeout(COLLECT_SECONDS + count / 50):
                while len(self._handled) < count:
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            pass  # the run reports how many are missing
        cores = processors.cores()
        if self._consumer is not None:
            await self._consumer.stop()
            self._consumer = None
        return {"handled": self._handled, "cpu": cores}

    async def _handle(self, event: OrderCreated) -> None:
        self._handled.setdefault(event.data.id, time.monotonic())
        self._more.set()
