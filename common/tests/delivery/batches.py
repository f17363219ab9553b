"""A batch handler for tests, and the condition that all its events wait."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager

from nats.js.errors import NotFoundError

from ticketing_common.delivery import BatchHandler, Consumer
from ticketing_common.events import ExpirationCompleted
from ticketing_common.topology import EXPIRATIONS
from ticketing_testkit.apps import Bus

from .conftest import DURABLE

Consume = Callable[..., AbstractAsyncContextManager[Consumer]]
Condition = Callable[[], Awaitable[bool]]
MakeEvent = Callable[..., ExpirationCompleted]


class Together:
    """A batch handler that records its calls, and fails for the events of `faults` (by aggregate id)."""

    def __init__(self, **faults: Exception) -> None:
        self.calls: list[list[tuple[str, int]]] = []
        self.alone: list[str] = []
        self.faults = faults
        self.begin = asyncio.Event()
        self.running = 0

    async def handle(self, events: Sequence[ExpirationCompleted]) -> None:
        assert self.running == 0, "two batches at once"
        self.running += 1
        try:
            await self.begin.wait()
            self.calls.append([(one.data.id, one.data.version) for one in events])
            self._fail(*events)
        finally:
            self.running -= 1

    async def handle_alone(self, event: ExpirationCompleted) -> None:
        await self.begin.wait()
        self.alone.append(event.data.id)
        self._fail(event)

    def _fail(self, *events: ExpirationCompleted) -> None:
        for one in events:
            if one.data.id in self.faults:
                raise self.faults[one.data.id]

    @property
    def handled(self) -> list[str]:
        """The aggregates of the events of every call, those alone first."""
        return self.alone + [aggregate_id for call in self.calls for aggregate_id, _ in call]

    @property
    def batch_handler(self) -> BatchHandler:
        return BatchHandler.of(self.handle, ExpirationCompleted)


async def all_in_hand(bus: Bus, count: int) -> bool:
    try:
        now = await bus.js.consumer_info(EXPIRATIONS, DURABLE)
    except NotFoundError:  # the replica has not made it yet
        return False
    return bool(now.num_ack_pending == count)
