"""The last events of a feed: kept once for all streams, and read by each at its own pace."""

from collections import OrderedDict

from .sse import CHUNK_BYTES, SharedFrame, SseConnection, frame

__all__ = ["Reader", "RecentEvents"]


class RecentEvents:
    """Events by their sequence, oldest first: at most `count` with at most `max_bytes`, and always the newest."""

    def __init__(self, *, count: int, max_bytes: int) -> None:
        self.bytes = 0
        """Of the events that are kept, as they came from the bus."""
        self.last = 0
        """The newest sequence."""
        self.generation = 0
        """Changes when events were lost, or when the sequences begin anew."""
        self._count = count
        self._max_bytes = max_bytes
        self._events: OrderedDict[int, SharedFrame] = OrderedDict()
        self._forgotten: int | None = None

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._events)

    def add(self, sequence: int, shared: SharedFrame) -> None:
        """Keep the newest, and forget the oldest."""
        if self._forgotten is None:
            self._forgotten = sequence - 1
        self._events[sequence] = shared
        self.last = sequence
        self.bytes += shared.size
        while len(self._events) > 1 and (len(self._events) > self._count or self.bytes > self._max_bytes):
            self._forgotten, oldest = self._events.popitem(last=False)
            self.bytes -= oldest.size

    def restart(self, position: int) -> None:
        """Forget all: nothing is known of what came up to this sequence."""
        self._events.clear()
        self._forgotten = None
        self.bytes = 0
        self.last = position
        self.generation += 1

    def reaches_back_to(self, sequence: int) -> bool:
        """Whether every event after this one is still here."""
        return self._forgotten is not None and self._forgotten <= sequence <= self.last

    def has_forgotten(self, sequence: int) -> bool:
        """Whether an event after this one was here and is no longer."""
        return self._forgotten is not None and sequence < self._forgotten

    def read(self, after: int, max_bytes: int) -> tuple[list[SharedFrame], int]:
        """The events after this sequence: so many bytes, or one event more; and the sequence of the last of them."""
        found: list[SharedFrame] = []
        size = 0
        while after < self.last and size < max_bytes:
            after += 1
            shared = self._events.get(after)
            if shared is not None:  # one that could not be parsed is skipped
                found.append(shared)
                size += shared.size
        return found, after


class Reader(SseConnection):
    """A stream of all events. It keeps the sequence that it has read, and no event: slow ones cost no more than others.

    A reader that is slower than events are forgotten is told `reset`.
    """

    def __init__(self, recent: RecentEvents, *, after: int, heartbeat_seconds: float) -> None:
        super().__init__(heartbeat_seconds=heartbeat_seconds)
        self._recent = recent
        self._generation = recent.generation
        self._after = after

    def _take(self) -> bytes:
        recent = self._recent
        if self._generation != recent.generation or recent.has_forgotten(self._after):
            self._generation = recent.generation
            self._after = recent.last
            return frame("reset", b"{}", id=recent.last)
        found, self._after = recent.read(self._after, CHUNK_BYTES)
        return b"".join(shared.frame for shared in found)
