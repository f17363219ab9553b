"""Live updates: one stream reader per replica serves all its SSE connections, and encodes each event once."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Annotated, Final, TypeAlias

from ticketing_common.delivery import ServiceRuntime, StreamReader
from ticketing_common.delivery.progress import RECONNECTED_SECONDS
from ticketing_common.errors import OverloadedError, TooManyRequestsError
from ticketing_common.events import Event, parse_event
from ticketing_common.resilience import cancel_and_wait
from ticketing_common.telemetry.metrics import LIVE_STREAMS, LIVE_STREAMS_ENDED

from .change_counter import ChangeCounter
from .recent_events import Reader, RecentEvents
from .sse import SharedFrame, SseConnection, frame
from .stream_limits import RETRY_AFTER_SECONDS, StreamLimits, Viewer
from .termination import on_termination
from .wrapped_routes import part_of_app

KEEPING_SECONDS: Final = 1.0
OVERTAKEN_SECONDS: Final = 1.0
OVERTAKEN_EVENTS: Final = 256
"""The most events that one replica can be ahead of another: one fetch of its stream reader."""
HISTORY_BYTES: Final = 4 * 1024 * 1024
"""Size of the history that all streams share: about 340 of the longest events, or 9,000 usual ones."""
ALL: Final = ""
"""The topic of streams with all aggregates; other topics are the id of one aggregate."""


@dataclass(frozen=True, slots=True)
class SseMessage:
    """One server-sent event: its name and its JSON data."""

    event: str
    json: bytes


class LiveFeed:
    """Server-sent events for browsers, from one stream of the bus.

    `message_of` converts an event, when a connection first sends it. The last `history` events, up to `HISTORY_BYTES`,
    are kept in memory, including events from before the start, so a connection that resumes in time misses nothing. A
    stream of one aggregate needs no history, because it begins with the state. Each event also increments `changes` and
    calls `listener`; `on_gap` is called when events were lost.
    """

    def __init__(
        self,
        runtime: ServiceRuntime,
        stream: str,
        message_of: Callable[[Event], SseMessage],
        *,
        history: int = 0,
        changes: ChangeCounter | None = None,
        listener: Callable[[Event], None] | None = None,
        on_gap: Callable[[], None] | None = None,
    ) -> None:
        settings = runtime.settings
        self._message_of = message_of
        self._history = history
        self.limits = StreamLimits(settings)
        self._heartbeat_seconds = settings.stream_heartbeat_seconds
        self._service = settings.service_name
        self._revocations = runtime.revocations
        self._recent = RecentEvents(count=history, max_bytes=HISTORY_BYTES)
        self._connections: defaultdict[str, set[SseConnection]] = defaultdict(set)
        self._ending = False
        self._reader = StreamReader(runtime.bus, stream, on_event=self._on_event, on_gap=self._on_gap, history=history)
        runtime.follow(self._reader)
        self._changes = changes or ChangeCounter()
        self._listener = listener
        self._missed = on_gap
        self._bus = runtime.bus
        self._changes.valid_while(lambda: self._reader.caught_up and runtime.bus.connected)

    @property
    def position(self) -> int:
        """The sequence of the last event that this replica has seen."""
        return self._reader.position

    def is_current(self) -> bool:
        """Whether every event arrives within milliseconds of its publication.

        False for some seconds after a reconnect: events that were published during the outage may still arrive.
        """
        reader = self._reader
        in_time = reader.caught_up and reader.waiting <= OVERTAKEN_EVENTS
        return in_time and self._bus.connected_seconds >= RECONNECTED_SECONDS

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Run the feed inside this block. A termination signal ends all streams, because the server waits for them."""
        with on_termination(self._end):
            keeping = asyncio.create_task(self._keep())
            try:
                yield
            finally:
                self._end()
                await cancel_and_wait(keeping)

    @asynccontextmanager
    async def resume(self, viewer: Viewer, last_id: str | None) -> AsyncIterator[SseConnection]:
        """All events after the one with this id. Starts with `ready` without an id, and with `reset` if the missed
        events are no longer buffered.

        Raises `TooManyRequestsError` if this viewer has too many streams, `OverloadedError` if the replica has.
        """
        with self._place(viewer):
            after = _sequence(last_id)
            await self._reach(after)
            # No await from here on, so that no event arrives between this position and the first read.
            begin = after if self._recent.reaches_back_to(after) else self.position
            connection = Reader(self._recent, after=begin, heartbeat_seconds=self._heartbeat_seconds)
            connection.user = viewer.user
            if begin != after:
                connection.first = frame("ready" if last_id is None else "reset", b"{}", id=begin)
            with self._following(ALL, connection):
                yield connection

    @asynccontextmanager
    async def watch(
        self,
        viewer: Viewer,
        aggregate_id: str,
        state: Callable[[], Awaitable[tuple[int, SseMessage]]],
        *,
        until: datetime,
    ) -> AsyncIterator[SseConnection]:
        """The current state of one aggregate, and every later state, until the session ends.

        Raises what `resume` does, and what `state` raises.
        """
        connection = SseConnection(heartbeat_seconds=self._heartbeat_seconds)
        connection.user = viewer.user
        with self._place(viewer), self._following(aggregate_id, connection):
            version, message = await state()
            connection.after_version = version  # older events may have arrived while the state was read
            connection.first = frame(message.event, message.json, id=self.position)
            end = asyncio.get_running_loop().call_later(until.timestamp() - time.time(), connection.end, "session")
            try:
                yield connection
            finally:
                end.cancel()

    async def _reach(self, sequence: int) -> None:
        """Wait briefly for this event: the id may come from a replica that is slightly ahead."""
        if not self.position < sequence <= self.position + OVERTAKEN_EVENTS:
            return
        try:
            async with asyncio.timeout(OVERTAKEN_SECONDS):
                while self.position < sequence:  # noqa: ASYNC110 (rare and short)
                    await asyncio.sleep(0.02)
        except TimeoutError:
            return

    @contextmanager
    def _place(self, viewer: Viewer) -> Iterator[None]:
        with ExitStack() as stack:
            try:
                if self._ending or not self._reader.caught_up:
                    raise OverloadedError(
                        "No more event streams can be opened here now.", retry_after_seconds=RETRY_AFTER_SECONDS
                    )
                stack.enter_context(self.limits.take(viewer))
            except (OverloadedError, TooManyRequestsError) as error:
                reason = "limited" if isinstance(error, TooManyRequestsError) else "refused"
                LIVE_STREAMS_ENDED.labels(self._service, reason).inc()
                raise
            yield

    @contextmanager
    def _following(self, topic: str, connection: SseConnection) -> Iterator[None]:
        self._connections[topic].add(connection)
        LIVE_STREAMS.labels(self._service).inc()
        try:
            yield
        finally:
            self._connections[topic].discard(connection)
            if not self._connections[topic]:
                del self._connections[topic]
            LIVE_STREAMS.labels(self._service).dec()
            LIVE_STREAMS_ENDED.labels(self._service, connection.ended_as or "left").inc()

    def _on_event(self, sequence: int, subject: str, body: bytes) -> None:
        self._changes.note()
        event = parse_event(subject, body)
        if self._listener is not None:
            self._listener(event)
        shared = SharedFrame(event.data.version, lambda: self._frame(event, sequence), size=len(body))
        for connection in self._connections.get(event.subject, ()):
            connection.put(shared)
        if self._history:
            self._recent.add(sequence, shared)
            for connection in self._connections.get(ALL, ()):
                connection.wake()

    def _frame(self, event: Event, sequence: int) -> bytes:
        message = self._message_of(event)
        return frame(message.event, message.json, id=sequence)

    def _on_gap(self) -> None:
        """The missed events are unknown: all pages must load their data again."""
        self._changes.note()
        if self._missed is not None:
            self._missed()
        self._recent.restart(self.position)
        unknown = frame("reset", b"{}", id=self.position)
        reset = SharedFrame(inf, lambda: unknown, size=len(unknown))
        for topic, connections in self._connections.items():
            for connection in connections:
                if topic == ALL:
                    connection.wake()
                else:
                    connection.put(reset)

    def _end(self) -> None:
        self._ending = True
        for connection in self._all():
            connection.end("shutdown")

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(min(KEEPING_SECONDS, self._heartbeat_seconds))
            self._keep_all()

    def _keep_all(self) -> None:
        for connection in self._all():
            if connection.user is not None and self._revocations.ended(connection.user):
                connection.end("session")
            connection.keep()

    def _all(self) -> list[SseConnection]:
        return [connection for connections in self._connections.values() for connection in connections]


def _sequence(last_id: str | None) -> int:
    """The sequence that a Last-Event-ID names; -1 if it names none."""
    return int(last_id) if last_id is not None and len(last_id) < 20 and last_id.isdecimal() else -1


LiveFeedDep: TypeAlias = Annotated[LiveFeed, part_of_app("feed")]
