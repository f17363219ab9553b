"""What a service consumes: a stream, and a table of which handler takes which event."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

from ticketing_common.events import Event
from ticketing_common.topology import durable_name

__all__ = ["EventSubscription", "Handler"]

Handler: TypeAlias = Callable[[Any], Awaitable[None]]
"""Takes one event; returning means it is handled and may be acknowledged. It must bear being called twice."""


@dataclass(frozen=True)
class EventSubscription:
    """A durable consumer on one stream, shared by all replicas of the service.

    `concurrency` events of different aggregates are handled side by side, and what they ask of the database travels
    together; those of one aggregate are handled in their order.
    After `max_attempts` deliveries an event that still fails goes to the dead letters. `ack_wait_seconds` is how soon
    another replica, or this one's next life, gets the event when this one dies with it; a heartbeat prolongs it while
    work goes on.
    """

    stream: str
    handlers: Mapping[type[Event], Handler]
    concurrency: int = 64
    max_attempts: int = 10
    ack_wait_seconds: float = 10.0

    @classmethod
    def to_state(cls, stream: str, follow: Callable[[Any], Awaitable[object]], *events: type[Event]) -> Self:
        """All these events go to one use case, which reads the full state of the aggregate from each."""

        async def handle(event: Event) -> None:
            await follow(event.data)

        return cls(stream, dict.fromkeys(events, handle))

    def durable(self, service: str) -> str:
        """`tickets-orders`: the tickets service's place in the ORDERS stream."""
        return durable_name(service, self.stream)

    @property
    def filter_subjects(self) -> list[str]:
        """Only what a handler exists for is delivered."""
        return sorted(f"{event.NAME}.*" for event in self.handlers)
