"""What a service consumes: a stream, and a table of which handler takes which event."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

from ticketing_common.events import Event
from ticketing_common.topology import durable_name

Handler: TypeAlias = Callable[[Any], Awaitable[None]]
"""Handles one event; a return means that it may be acknowledged. Handlers must be idempotent."""


@dataclass(frozen=True, slots=True)
class BatchHandler:
    """Handles all events of these names that wait, so that they share its queries and writes.

    The events of a call are of different aggregates, and one call runs at a time in a replica. A return means that all
    of them may be acknowledged. After an error each of them goes to its own handler, and only those whose handler
    raises are retried or dead-lettered. So `handle` must be idempotent, and must not wait for one event only.
    """

    names: frozenset[str]
    handle: Callable[[Sequence[Any]], Awaitable[None]]

    @classmethod
    def of(cls, handle: Callable[[Sequence[Any]], Awaitable[None]], *events: type[Event]) -> Self:
        """The handler of these events."""
        return cls(frozenset(event.NAME for event in events), handle)


@dataclass(frozen=True)
class EventSubscription:
    """A durable consumer on one stream, shared by all replicas of the service.

    Up to `concurrency` events of different aggregates are handled concurrently, with batched database operations, and
    those of `together` in batches. Events of one aggregate are handled in order, but one that is not for `together`, or
    whose trace is recorded, may overtake one that waits for a batch. An event that still fails after `max_attempts`
    deliveries is dead-lettered. If a replica dies while it handles an event, the broker redelivers the event after
    `ack_wait_seconds`; a heartbeat extends that time while the handler runs.
    """

    stream: str
    handlers: Mapping[type[Event], Handler]
    together: BatchHandler | None = None
    concurrency: int = 64
    max_attempts: int = 10
    ack_wait_seconds: float = 10.0

    @classmethod
    def to_state(
        cls,
        stream: str,
        follow: Callable[[Any], Awaitable[object]],
        *events: type[Event],
        together: BatchHandler | None = None,
    ) -> Self:
        """Routes all these events to one use case, which takes the aggregate's full state from each."""

        async def handle(event: Event) -> None:
            await follow(event.data)

        return cls(stream, dict.fromkeys(events, handle), together)

    @classmethod
    def in_batches(cls, stream: str, handle: Callable[[Sequence[Any]], Awaitable[None]], *events: type[Event]) -> Self:
        """Routes all these events to one use case, which takes one of them or several."""

        async def handle_alone(event: Event) -> None:
            await handle([event])

        return cls(stream, dict.fromkeys(events, handle_alone), BatchHandler.of(handle, *events))

    def durable(self, service: str) -> str:
        """The durable's name: `tickets-orders` is the tickets service's consumer of the ORDERS stream."""
        return durable_name(service, self.stream)

    @property
    def filter_subjects(self) -> list[str]:
        """Only what a handler exists for is delivered."""
        return sorted(f"{event.NAME}.*" for event in self.handlers)
