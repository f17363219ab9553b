"""The relay against raw windowed publishing: the same messages to the same broker, counted until all are acknowledged.

The raw side has the messages in memory and ends when the broker has them. The relay has them in MongoDB and ends when
it has also removed them there. On its **notify** path, the usual one, it receives each commit in memory and only
removes it; on its **sweep** path, after a crash or an outage, it also reads the entries from MongoDB.
"""

import asyncio
import time
from typing import Any, ClassVar, Final

from prometheus_client import REGISTRY

from ticketing_bench.cpu_time import CpuTime
from ticketing_common.delivery import Relay
from ticketing_common.entity import new_id
from ticketing_common.storage import Commit, Lease, Outbox
from ticketing_orders.publishers import order_created
from ticketing_orders.repository import OrderRepository

from .broker import DeliveryRole, make_order, make_orders, publish_windowed

POLL_SECONDS: Final = 0.002
LEASE_SECONDS: Final = 600.0
INSERT_BATCH: Final = 1_000


class RelayRole(DeliveryRole):
    """Both sides, in sequence: they share only the event loop."""

    NAME: ClassVar[str] = "relay"

    async def raw(self, count: int) -> dict[str, Any]:
        """Publish from memory."""
        entries = [entry for _, entry in make_orders(count)]
        await self.empty_stream()
        processors = CpuTime("publisher", self.pids)
        begun = time.perf_counter()
        await publish_windowed(self.js, entries)
        return await self._result(count, time.perf_counter() - begun, processors)

    async def notify(self, count: int) -> dict[str, Any]:
        """Publish the entries of notified commits, and remove them."""
        await self._empty()
        # Another replica has the lease of the sweep; a sweep here would do a part of the work.
        await Lease(self.database, "relay", seconds=LEASE_SECONDS).acquire()
        relay, orders = await self._relay()
        relay.start()
        try:
            await self._warm_up(relay, orders)
            already = self._published("notify")
            commits = await self._commit(orders.outbox, count)
            processors = CpuTime("relay", self.pids)
            begun = time.perf_counter()
            for commit in commits:
                relay.notify(commit)
            await self._until("notify", already + count)
            seconds = time.perf_counter() - begun
            return await self._result(count + already, seconds, processors, measured=count, outbox=orders.outbox)
        finally:
            await relay.stop()

    async def sweep(self, count: int) -> dict[str, Any]:
        """Publish the entries that an earlier process left."""
        await self._empty()
        relay, orders = await self._relay()
        await self._commit(orders.outbox, count)
        processors = CpuTime("relay", self.pids)
        begun = time.perf_counter()
        relay.start()
        try:
            await self._until("sweep", count)
            seconds = time.perf_counter() - begun
            return await self._result(count, seconds, processors, outbox=orders.outbox)
        finally:
            await relay.stop()

    async def _empty(self) -> None:
        await self.database.client.drop_database(self.database.name)
        await self.empty_stream()

    async def _relay(self) -> tuple[Relay, OrderRepository]:
        self._service = f"bench-{new_id()}"  # a separate counter
        relay = Relay(
            self.connection, service=self._service, lease=Lease(self.database, "relay", seconds=LEASE_SECONDS)
        )
        outbox = Outbox(self.database["orders"], relay.notify)
        relay.watch(outbox)
        orders = OrderRepository(outbox)
        await orders.ensure_indexes()
        return relay, orders

    async def _warm_up(self, relay: Relay, orders: OrderRepository) -> None:
        """Commit until the relay accepts notifications, which it does after its first sweep."""
        async with asyncio.timeout(15):
            while not self._published("notify"):
                order = make_order()
                await orders.add(order, order_created)
                await asyncio.sleep(0.05)
        # The first commits were not notified.
        await orders.collection.update_many({}, {"$set": {"outbox": []}})

    async def _commit(self, outbox: Outbox, count: int) -> list[Commit]:
        """Store orders with their events, without notifying the relay."""
        made = make_orders(count)
        repository = OrderRepository(outbox)
        for first in range(0, count, INSERT_BATCH):
            await outbox.collection.insert_many(
                [
                    {**repository.to_document(order), "outbox": [entry.to_document()]}
                    for order, entry in made[first : first + INSERT_BATCH]
                ]
            )
        return [Commit(outbox, order.id, (entry,)) for order, entry in made]

    def _published(self, path: str) -> int:
        labels = {"service": self._service, "path": path}
        return int(REGISTRY.get_sample_value("relay_published_total", labels) or 0)

    async def _until(self, path: str, count: int) -> None:
        """Wait until `count` entries are published and removed: the relay counts them after both."""
        async with asyncio.timeout(120):
            while self._published(path) < count:  # noqa: ASYNC110 (only the counter shows it)
                await asyncio.sleep(POLL_SECONDS)

    async def _result(
        self,
        stored: int,
        seconds: float,
        processors: CpuTime,
        *,
        measured: int | None = None,
        outbox: Outbox | None = None,
    ) -> dict[str, Any]:
        cores = processors.cores()
        waiting = (await outbox.stats()).pending if outbox else 0
        return {
            "rate": (measured or stored) / seconds,
            "cpu": cores,
            "complete": await self.stored() == stored and waiting == 0,
        }
