"""One reader of the bus per replica, and as many who look on as there are: each event is made into bytes once."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Final, NamedTuple

from ticketing_common.delivery import Backbone, Tail
from ticketing_common.errors import OverloadedError
from ticketing_common.events import Event, parse_event
from ticketing_common.telemetry.metrics import LIVE_STREAMS, LIVE_STREAMS_ENDED

from .sse import COMMENT, frame
from .termination import on_termination

__all__ = ["LiveFeed", "News"]

QUEUE: Final = 256
"""So many events may wait for one follower; whoever does not keep up with that is cut off, and resumes or reloads."""
OVERTAKEN_SECONDS: Final = 1.0
RETRY_AFTER_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class News:
    """What is shown of one event: `json` under the name `event`, to those who follow `topic`."""

    event: str
    json: bytes
    topic: str = ""


class _Told(NamedTuple):
    version: float
    bytes: bytes


class _Follower:
    """One open stream's queue: what is in it is shared with all others, so that it costs a reference."""

    def __init__(self) -> None:
        self.after_version = 0.0
        self.ended_as: str | None = None
        self._queue: asyncio.Queue[_Told | None] = asyncio.Queue()

    def put(self, told: _Told) -> None:
        """Never waits: who cannot keep up is cut off."""
        if self.ended_as is None:
            if self._queue.qsize() < QUEUE:
                self._queue.put_nowait(told)
            else:
                self.end("slow")

    def end(self, reason: str) -> None:
        """What waits is still sent, and then no more."""
        if self.ended_as is None:
            self.ended_as = reason
            self._queue.put_nowait(None)

    async def chunks(self, first: bytes, *, heartbeat_seconds: float) -> AsyncGenerator[bytes]:
        """`first`, then always all that waits; a comment when nothing has come for so long."""
        yield first
        while True:
            try:
                async with asyncio.timeout(heartbeat_seconds):
                    waiting = [await self._queue.get()]
            except TimeoutError:
                yield COMMENT
                continue
            while not self._queue.empty():
                waiting.append(self._queue.get_nowait())
            told = [one.bytes for one in waiting if one is not None and one.version > self.after_version]
            if told:
                yield b"".join(told)
            if None in waiting:
                return


class LiveFeed:
    """The events of one stream of the bus, for browsers.

    `news_of` says what is shown of an event. The last `history` of them are kept in memory, those from before the start
    among them: who comes back in time misses nothing. An order's followers need none, as they begin with its state.
    """

    def __init__(self, backbone: Backbone, stream: str, news_of: Callable[[Event], News], *, history: int = 0) -> None:
        settings = backbone.settings
        self._news_of = news_of
        self._history = history
        self._max_followers = settings.max_streams
        self._heartbeat_seconds = settings.stream_heartbeat_seconds
        self._service = settings.service_name
        self._recent: dict[int, _Told] = {}
        self._followers: defaultdict[str, set[_Follower]] = defaultdict(set)
        self._open = 0
        self._ending = False
        self._tail = Tail(backbone.bus, stream, on_event=self._on_event, on_gap=self._on_gap, history=history)
        backbone.follow(self._tail)

    @property
    def position(self) -> int:
        """The sequence of the last event that this replica has seen."""
        return self._tail.position

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Inside this block. Streams end as soon as the process is told to, for the server waits until they have."""
        with on_termination(self._end):
            try:
                yield
            finally:
                self._end()

    @asynccontextmanager
    async def resume(self, last_id: str | None) -> AsyncIterator[AsyncGenerator[bytes]]:
        """All news after the one with this id; `ready` for a newcomer, `reset` for whom we cannot tell what was missed.

        Raises `OverloadedError` when too many follow already.
        """
        after = int(last_id) if last_id is not None and last_id.isdecimal() and len(last_id) < 20 else -1
        await self._reach(after)
        with self._follow("") as follower:
            # Without a pause since then, so that nothing comes between what is told now and what the queue holds.
            first = frame("ready", b"{}", id=self.position) if last_id is None else self._missed(after)
            async with aclosing(follower.chunks(first, heartbeat_seconds=self._heartbeat_seconds)) as chunks:
                yield chunks

    @asynccontextmanager
    async def watch(
        self, topic: str, state: Callable[[], Awaitable[tuple[int, News]]], *, until: datetime
    ) -> AsyncIterator[AsyncGenerator[bytes]]:
        """One thing's state at this moment, with its version, and every later one; until the session ends.

        Raises `OverloadedError` when too many follow already, and what `state` raises.
        """
        with self._follow(topic) as follower:
            version, news = await state()
            follower.after_version = version  # what is older may have come while the state was read
            first = frame(news.event, news.json, id=self.position)
            end = asyncio.get_running_loop().call_later(until.timestamp() - time.time(), follower.end, "session")
            try:
                async with aclosing(follower.chunks(first, heartbeat_seconds=self._heartbeat_seconds)) as chunks:
                    yield chunks
            finally:
                end.cancel()

    def _missed(self, after: int) -> bytes:
        """What came after this sequence, or `reset` when that cannot be said."""
        if after == self.position:
            return COMMENT
        if after + 1 not in self._recent:
            return frame("reset", b"{}", id=self.position)
        missed = (self._recent.get(sequence) for sequence in range(after + 1, self.position + 1))
        return b"".join(told.bytes for told in missed if told is not None)

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
    def _follow(self, topic: str) -> Iterator[_Follower]:
        if self._ending or not self._tail.caught_up or self._open >= self._max_followers:
            LIVE_STREAMS_ENDED.labels(self._service, "refused").inc()
            raise OverloadedError("No place for another stream here.", retry_after_seconds=RETRY_AFTER_SECONDS)
        follower = _Follower()
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
        event = parse_event(subject, body)
        news = self._news_of(event)
        told = _Told(event.data.version, frame(news.event, news.json, id=sequence))
        if self._history:
            self._recent[sequence] = told
            self._recent.pop(sequence - self._history, None)
        for follower in self._followers.get(news.topic, ()):
            follower.put(told)

    def _on_gap(self) -> None:
        """Nobody knows what was missed: all load anew."""
        self._recent.clear()
        self._tell_all(_Told(inf, frame("reset", b"{}", id=self.position)))

    def _tell_all(self, told: _Told) -> None:
        for followers in self._followers.values():
            for follower in followers:
                follower.put(told)

    def _end(self) -> None:
        self._ending = True
        for followers in self._followers.values():
            for follower in followers:
                follower.end("shutdown")

    def _count(self, change: int) -> None:
        self._open += change
        LIVE_STREAMS.labels(self._service).set(self._open)
