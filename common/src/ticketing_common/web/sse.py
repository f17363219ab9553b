"""Server-sent events on the wire: the text/event-stream format of WHATWG HTML §9.2, as an answer without an end."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from math import inf
from typing import Annotated, Any, Final, TypeAlias

from fastapi import Header
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

__all__ = ["COMMENT", "EVENT_STREAM", "EventStream", "Follower", "LastEventId", "Told", "frame"]

QUEUE: Final = 256
"""So many events may wait for one stream; whoever does not keep up with that is cut off, and resumes or reloads."""
SEND_SECONDS: Final = 20.0
"""Whoever takes nothing for so long is gone, or will never keep up."""
COMMENT: Final = b":\n\n"
"""Says nothing, and shows that the connection lives."""
EVENT_STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Server-sent events; Last-Event-ID resumes after that event.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}
"""For the OpenAPI document of a route."""

LastEventId: TypeAlias = Annotated[
    str | None, Header(alias="Last-Event-ID", description="of the last event seen; a browser sends it by itself")
]


def frame(event: str, data: bytes, *, id: int) -> bytes:  # noqa: A002 (the format calls it so)
    """One event; `data` is JSON on one line, as pydantic writes it."""
    return b"event: %s\nid: %d\ndata: %s\n\n" % (event.encode(), id, data)


class Told:
    """One event, and the version of what it is about; made into bytes for the first who sends it, and once for all.

    Most are sent to nobody: a replica hears of every order, and has few of their buyers.
    """

    __slots__ = ("_frame", "_render", "version")

    def __init__(self, version: float, render: Callable[[], bytes]) -> None:
        self.version = version
        self._render: Callable[[], bytes] | None = render
        self._frame = b""

    @property
    def frame(self) -> bytes:
        """The event as it goes over the wire."""
        if self._render is not None:
            self._frame, self._render = self._render(), None
        return self._frame


class Follower:
    """One open stream: what waits for it is shared with all others, so that it costs a reference.

    Nothing here has a timer, since a thousand of them at every event would cost more than the sending. `keep` is called
    every now and then instead.
    """

    def __init__(self, *, heartbeat_seconds: float) -> None:
        self.first = COMMENT
        self.after_version = 0.0
        self.patience: asyncio.Timeout | None = None
        self.ended_as: str | None = None
        self._heartbeat_seconds = heartbeat_seconds
        self._waiting: deque[Told] = deque()
        self._news = asyncio.Event()
        self._sent_at = time.monotonic()
        self._sending = False

    def put(self, told: Told) -> None:
        """Never waits: who cannot keep up is cut off."""
        if self.ended_as is None:
            if len(self._waiting) < QUEUE:
                self._waiting.append(told)
                self._news.set()
            else:
                self.end("slow")

    def end(self, reason: str) -> None:
        """What waits is still sent, and then no more."""
        if self.ended_as is None:
            self.ended_as = reason
            self._news.set()

    def keep(self) -> None:
        """Say that the stream lives if it was silent for long, and give up on who has taken nothing for long."""
        silent_seconds = time.monotonic() - self._sent_at
        if self._sending:
            if silent_seconds > SEND_SECONDS and self.patience is not None:
                self.end("slow")
                self.patience.reschedule(asyncio.get_running_loop().time())
        elif silent_seconds > self._heartbeat_seconds:
            self.put(Told(inf, lambda: COMMENT))

    async def chunks(self) -> AsyncGenerator[bytes]:
        """`first`, then always all that waits, until the end."""
        chunk = self.first
        while True:
            if chunk:
                self._sending, self._sent_at = True, time.monotonic()
                yield chunk
                self._sending, self._sent_at = False, time.monotonic()
            if not self._waiting:
                if self.ended_as is not None:
                    return
                self._news.clear()
                await self._news.wait()
            chunk = b"".join(told.frame for told in self._waiting if told.version > self.after_version)
            self._waiting.clear()


class EventStream(StreamingResponse):
    """An answer of events.

    `following` is entered before the answer begins, so that what it raises is still an answer of its own. FastAPI's
    event streams make each event anew for each client (120 µs against 25, measured), and sse-starlette ends them by a
    look at the process every half second; what is left to do beside Starlette's answer is these few lines.
    """

    media_type = "text/event-stream"

    def __init__(self, following: AbstractAsyncContextManager[Follower], status_code: int = 200) -> None:
        # Without no-transform, proxies (Next's among them) compress, and keep the events until the stream ends.
        headers = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
        super().__init__(iter(()), status_code, headers=headers)
        self._following = following

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry. Who takes nothing is left: the server then closes the connection."""
        async with self._following as follower, aclosing(follower.chunks()) as self.body_iterator:
            try:
                async with asyncio.timeout(None) as follower.patience:
                    await super().__call__(scope, receive, send)
            except TimeoutError:
                if follower.patience is None or not follower.patience.expired():
                    raise
