"""The recent events of a feed: stored once for all connections, each of which reads at its own pace."""

from collections import OrderedDict

from .sse import CHUNK_BYTES, SharedFrame, SseConnection, frame


class RecentEvents:
    """A buffer of events by sequence: at most `count` with at most `max_bytes`, but always the newest."""

    def __init__(self, *, count: int, max_bytes: int) -> None:
        self.bytes = 0
        """Size of the buffered events, as received from the bus."""
        self.last = 0
        """The newest sequence."""
        self.generation = 0
        """Changes after lost events, or when sequences restart."""
        self._count = count
        self._max_bytes = max_bytes
        self._events: OrderedDict[int, SharedFrame] = OrderedDict()
        self._forgotten: int | None = None

    def __len__(self) -> int:
        return len(self._events)

    def add(self, sequence: int, shared: SharedFrame) -> None:
        """Add the newest event, and drop the oldest ones over the limits."""
        if self._forgotten is None:
            self._forgotten = sequence - 1
        self._events[sequence] = shared
        self.last = sequence
        self.bytes += shared.size
        while len(self._events) > 1 and (len(self._events) > self._count or self.bytes > self._max_bytes):
            self._forgotten, oldest = self._events.popitem(last=False)
            self.bytes -= oldest.size

    def restart(self, position: int) -> None:
        """Clear the buffer: events up to this sequence are unknown."""
        self._events.clear()
        self._forgotten = None
        self.bytes = 0
        self.last = position
        self.generation += 1

    def reaches_back_to(self, sequence: int) -> bool:
        """Whether every event after this sequence is buffered."""
        return self._forgotten is not None and self._forgotten <= sequence <= self.last

    def has_forgotten(self, sequence: int) -> bool:
        """Whether an event after this sequence was dropped."""
        return self._forgotten is not None and sequence < self._forgotten

    def read(self, after: int, max_bytes: int) -> tuple[list[SharedFrame], int]:
        """The events after this sequence, about `max_bytes` of them, and the sequence of the last one."""
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
    """A connection that sends all events. It stores only the sequence that it has read, so a slow one costs no more.

    If the events that it has not read are dropped, it sends `reset`.
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
