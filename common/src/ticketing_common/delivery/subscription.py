"""What a service consumes: a stream, and a table of which handler takes which event."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

from ticketing_common.events import Event
from ticketing_common.topology import durable_name

__all__ = ["EventSubscription", "Handler"]

Handler: TypeAlias = Callable[[Any], Awaitable[None]]
"""Handles one event; a return means that it may be acknowledged. Handlers must be idempotent."""


@dataclass(frozen=True)
class EventSubscription:
    """A durable consumer on one stream, shared by all replicas of the service.

    Up to `concurrency` events of different aggregates are handled concurrently, with batched database operations;
    events of one aggregate are handled in order. An event that still fails after `max_attempts` deliveries is
    dead-lettered. If a replica dies while it handles an event, the broker redelivers the event after
    `ack_wait_seconds`; a heartbeat extends that time while the handler runs.
    """

    stream: str
    handlers: Mapping[type[Event], Handler]
    concurrency: int = 64
    max_attempts: int = 10
    ack_wait_seconds: float = 10.0

    @classmethod
    def to_state(cls, stream: str, follow: Callable[[Any], Awaitable[object]], *events: type[Event]) -> Self:
        """Routes all these events to one use case, which takes the aggregate's full state from each."""

        async def handle(event: Event) -> None:
            await follow(event.data)

        return cls(stream, dict.fromkeys(events, handle))

    def durable(self, service: str) -> str:
        """The durable's name: `tickets-orders` is the tickets service's consumer of the ORDERS stream."""
        return durable_name(service, self.stream)

    @property
    def filter_subjects(self) -> list[str]:
        """Only what a handler exists for is delivered."""
        return sorted(f"{event.NAME}.*" for event in self.handlers)
