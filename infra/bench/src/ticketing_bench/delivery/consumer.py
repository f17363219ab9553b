"""The consumer with a handler that does nothing, against a bare loop of fetch(100) and ack over the same messages."""

import asyncio
import time
from typing import Any, ClassVar, Final

from nats.js.errors import NotFoundError

from ticketing_bench.cpu_time import CpuTime
from ticketing_common.delivery import Consumer, DeadLetters, EventSubscription
from ticketing_common.events import OrderCreated
from ticketing_common.messaging import JetStreamPublisher, consumer_config, ensure_consumer
from ticketing_common.topology import ORDERS

from .broker import DeliveryRole, durable, make_orders, publish_windowed

BATCH: Final = 100
SETTLE_SECONDS: Final = 20.0
SAME_AS_THE_PRODUCT: Final[dict[str, Any]] = {
    "filter_subjects": [f"{OrderCreated.NAME}.*"],
    "ack_wait_seconds": 30.0,
    "max_ack_pending": 4_096,
    "max_deliver": 1_000,
    "replicas": 1,
}


class ConsumerRole(DeliveryRole):
    """Both sides, in sequence."""

    NAME: ClassVar[str] = "consumer"

    async def fill(self, count: int) -> dict[str, Any]:
        """Publish `count` messages, each of a different aggregate."""
        await self.empty_stream()
        await publish_windowed(self.js, [entry for _, entry in make_orders(count)])
        return {"stored": await self.stored()}

    async def raw(self, count: int) -> dict[str, Any]:
        """Fetch and acknowledge only, without reading the body."""
        name = durable()
        await ensure_consumer(self.js, ORDERS, consumer_config(name, **SAME_AS_THE_PRODUCT))
        pull = await self.js.pull_subscribe_bind(name, stream=ORDERS)
        processors = CpuTime("consumer", self.pids)
        begun = time.perf_counter()
        done = 0
        while done < count:
            messages = await pull.fetch(BATCH, timeout=2)
            for message in messages:
                await message.ack()
            done += len(messages)
        await self.connection.client.flush()
        result = await self._result(name, count, time.perf_counter() - begun, processors)
        await pull.unsubscribe()
        return result

    async def product(self, count: int) -> dict[str, Any]:
        """As in a service: parse, dispatch by type, handle aggregates concurrently, acknowledge after handling."""
        done, all_done = 0, asyncio.Event()

        async def handle(_event: OrderCreated) -> None:
            nonlocal done
            done += 1
            if done == count:
                all_done.set()

        name = durable()
        consumer = product_consumer(self, name, handle)
        processors = CpuTime("consumer", self.pids)
        begun = time.perf_counter()
        consumer.start()
        try:
            async with asyncio.timeout(120):
                await all_done.wait()
            await asyncio.sleep(0)  # the last acknowledgement follows its handler
            await self.connection.client.flush()
            return await self._result(consumer.durable, count, time.perf_counter() - begun, processors)
        finally:
            await consumer.stop()

    async def _result(self, name: str, count: int, seconds: float, processors: CpuTime) -> dict[str, Any]:
        cores = processors.cores()
        return {"rate": count / seconds, "cpu": cores, "complete": await self._settled(name)}

    async def _settled(self, name: str) -> bool:
        """Whether the broker has every acknowledgement; the last can still be in flight."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            try:
                info = await self.js.consumer_info(ORDERS, name)
            except NotFoundError:
                return False
            if not info.num_pending and not info.num_ack_pending:
                return True
            await asyncio.sleep(0.05)
        return False


def product_consumer(role: DeliveryRole, service: str, handle: Any) -> Consumer:
    """The product's consumer of ORDERS for a service of that name, not yet started."""
    return Consumer(
        role.connection,
        EventSubscription(ORDERS, {OrderCreated: handle}),
        DeadLetters(JetStreamPublisher(role.connection)),
        service=service,
        replicas=1,
    )
