"""One reader of the bus per replica, and as many who look on as there are: each event is made into bytes once."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Final

from ticketing_common.delivery import Backbone, Tail
from ticketing_common.errors import OverloadedError
from ticketing_common.events import Event, parse_event
from ticketing_common.resilience import end
from ticketing_common.telemetry.metrics import LIVE_STREAMS, LIVE_STREAMS_ENDED

from .changes import Changes
from .sse import COMMENT, Follower, Told, frame
from .termination import on_termination

__all__ = ["LiveFeed", "News"]

KEEPING_SECONDS: Final = 1.0
OVERTAKEN_SECONDS: Final = 1.0
RETRY_AFTER_SECONDS: Final = 5
ALL: Final = ""
"""What those follow who follow everything; the others one aggregate, by its id."""


@dataclass(frozen=True, slots=True)
class News:
    """What is shown of one event: `json` under the name `event`."""

    event: str
    json: bytes


class LiveFeed:
    """The events of one stream of the bus, for browsers.

    `news_of` says what is shown of an event, and is asked when the first is to see it. The last `history` of them are
    kept in memory, those from before the start among them: who comes back in time misses nothing. An order's followers
    need none, as they begin with its state.
    `changes` are told of each event as well, and so is a `listener`, with the event.
    """

    def __init__(
        self,
        backbone: Backbone,
        stream: str,
        news_of: Callable[[Event], News],
        *,
        history: int = 0,
        changes: Changes | None = None,
        listener: Callable[[Event], None] | None = None,
    ) -> None:
        settings = backbone.settings
        self._news_of = news_of
        self._history = history
        self._max_followers = settings.max_streams
        self._heartbeat_seconds = settings.stream_heartbeat_seconds
        self._service = settings.service_name
        self._recent: dict[int, Told] = {}
        self._followers: defaultdict[str, set[Follower]] = defaultdict(set)
        self._open = 0
        self._ending = False
        self._tail = Tail(backbone.bus, stream, on_event=self._on_event, on_gap=self._on_gap, history=history)
        backbone.follow(self._tail)
        self._changes = changes or Changes()
        self._listener = listener
        self._changes.heard_while(lambda: self._tail.caught_up and backbone.bus.connected)

    @property
    def position(self) -> int:
        """The sequence of the last event that this replica has seen."""
        return self._tail.position

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Inside this block. Streams end as soon as the process is told to, for the server waits until they have."""
        with on_termination(self._end):
            keeping = asyncio.create_task(self._keep())
            try:
                yield
            finally:
                self._end()
                await end(keeping)

    @asynccontextmanager
    async def resume(self, last_id: str | None) -> AsyncIterator[Follower]:
        """All news after the one with this id; `ready` for a newcomer, `reset` for whom we cannot tell what was missed.

        Raises `OverloadedError` when too many follow already.
        """
        after = int(last_id) if last_id is not None and last_id.isdecimal() and len(last_id) < 20 else -1
        await self._reach(after)
        with self._follow(ALL) as follower:
            # Without a pause since then, so that nothing comes between what is told now and what the queue holds.
            follower.first = frame("ready", b"{}", id=self.position) if last_id is None else self._missed(after)
            yield follower

    @asynccontextmanager
    async def watch(
        self, aggregate_id: str, state: Callable[[], Awaitable[tuple[int, News]]], *, until: datetime
    ) -> AsyncIterator[Follower]:
        """One thing's state at this moment, with its version, and every later one; until the session ends.

        Raises `OverloadedError` when too many follow already, and what `state` raises.
        """
        with self._follow(aggregate_id) as follower:
            version, news = await state()
            follower.after_version = version  # what is older may have come while the state was read
            follower.first = frame(news.event, news.json, id=self.position)
            end = asyncio.get_running_loop().call_later(until.timestamp() - time.time(), follower.end, "session")
            try:
                yield follower
            finally:
                end.cancel()

    def _missed(self, after: int) -> bytes:
        """What came after this sequence, or `reset` when that cannot be said."""
        if after == self.position:
            return COMMENT
        if after + 1 not in self._recent:
            return frame("reset", b"{}", id=self.position)
        missed = (self._recent.get(sequence) for sequence in range(after + 1, self.position + 1))
        return b"".join(told.frame for told in missed if told is not None)

    async def _reach(self, sequence: int) -> None:
        """Another replica may have been a moment ahead of us; longer than a moment, and its id is of no use here."""
        if sequence <= self.position:
            return
        try:
            async with asyncio.timeout(OVERTAKEN_SECONDS):
                while self.position < sequence:  # noqa: ASYNC110 (rare and short)
                    await asyncio.sleep(0.02)
        except TimeoutError:
            return

    @contextmanager
    def _follow(self, topic: str) -> Iterator[Follower]:
        if self._ending or not self._tail.caught_up or self._open >= self._max_followers:
            LIVE_STREAMS_ENDED.labels(self._service, "refused").inc()
            raise OverloadedError("No place for another stream here.", retry_after_seconds=RETRY_AFTER_SECONDS)
        follower = Follower(heartbeat_seconds=self._heartbeat_seconds)
        self._followers[topic].add(follower)
        self._count(1)
        try:
            yield follower
        finally:
            self._followers[topic].discard(follower)
            if not self._followers[topic]:
                del self._followers[topic]
            self._count(-1)
            LIVE_STREAMS_ENDED.labels(self._service, follower.ended_as or "left").inc()

    def _on_event(self, sequence: int, subject: str, body: bytes) -> None:
        self._changes.note()
        event = parse_event(subject, body)
        if self._listener is not None:
            self._listener(event)
        told = Told(event.data.version, lambda: self._frame(event, sequence))
        if self._history:
            self._recent[sequence] = told
            self._recent.pop(sequence - self._history, None)
        for topic in (ALL, event.subject):
            for follower in self._followers.get(topic, ()):
                follower.put(told)

    def _frame(self, event: Event, sequence: int) -> bytes:
        news = self._news_of(event)
        return frame(news.event, news.json, id=sequence)

    def _on_gap(self) -> None:
        """Nobody knows what was missed: all load anew."""
        self._changes.note()
        self._recent.clear()
        nobody_knows = frame("reset", b"{}", id=self.position)
        reset = Told(inf, lambda: nobody_knows)
        for follower in self._all():
            follower.put(reset)

    def _end(self) -> None:
        self._ending = True
        for follower in self._all():
            follower.end("shutdown")

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(min(KEEPING_SECONDS, self._heartbeat_seconds))
            for follower in self._all():
                follower.keep()

    def _all(self) -> list[Follower]:
        return [follower for followers in self._followers.values() for follower in followers]

    def _count(self, change: int) -> None:
        self._open += change
        LIVE_STREAMS.labels(self._service).set(self._open)
