"""Server-sent events: the text/event-stream format of WHATWG HTML §9.2, as an endless response."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Annotated, Any, Final, TypeAlias

from fastapi import Header
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ticketing_common.security import User

from .connections import abort, bound_buffers

QUEUE: Final = 256
"""Limit of events that wait for one connection of a single aggregate. A slower one is closed, and may reconnect."""
QUEUE_BYTES: Final = 64 * 1024
"""The same limit in bytes of the waiting events' bodies."""
CHUNK_BYTES: Final = 8 * 1024
"""A chunk ends with the event that reaches this size; the next chunk waits until the peer has read it."""
SEND_SECONDS: Final = 20.0
"""A connection whose peer reads nothing for this long is closed."""
COMMENT: Final = b":\n\n"
"""A comment without content, which shows that the connection is open."""
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


def frame(event: str, data: bytes, *, id: int) -> bytes:  # noqa: A002 (the format's own name)
    """One event; `data` is JSON on one line, as pydantic writes it."""
    return b"event: %s\nid: %d\ndata: %s\n\n" % (event.encode(), id, data)


class SharedFrame:
    """One event with its aggregate's version, shared by all connections; encoded when the first of them sends it.

    Most events are never sent: a replica receives all orders, but few of their buyers connect to it. `size` is the size
    of the event as received from the bus, so that waiting events can be counted in bytes before they are encoded.
    """

    __slots__ = ("_frame", "_render", "size", "version")

    def __init__(self, version: float, render: Callable[[], bytes], *, size: int) -> None:
        self.version = version
        self.size = size
        self._render: Callable[[], bytes] | None = render
        self._frame = b""

    @property
    def frame(self) -> bytes:
        """The encoded event."""
        if self._render is not None:
            self._frame, self._render = self._render(), None
        return self._frame


class SseConnection:
    """One open connection. Its waiting events are shared with all others, so each costs a reference.

    It has no timers: a thousand of them per event would cost more than the sending. The feed calls `keep` periodically
    instead.
    """

    def __init__(self, *, heartbeat_seconds: float) -> None:
        self.user: User | None = None
        self.first = COMMENT
        self.after_version = 0.0
        self.send_timeout: asyncio.Timeout | None = None
        self.ended_as: str | None = None
        self._heartbeat_seconds = heartbeat_seconds
        self._waiting: deque[SharedFrame] = deque()
        self._waiting_bytes = 0
        self._is_silent = False
        self._changed = asyncio.Event()
        self._sent_at = time.monotonic()
        self._sending = True  # the answer's head comes first, and may wait for the peer, too

    def put(self, shared: SharedFrame) -> None:
        """Never waits: a stream that cannot keep up is cut off."""
        if self.ended_as is None:
            self._waiting_bytes += shared.size
            if len(self._waiting) < QUEUE and self._waiting_bytes <= QUEUE_BYTES:
                self._waiting.append(shared)
                self._changed.set()
            else:
                self.end("slow")

    def wake(self) -> None:
        """Check for something to send."""
        self._changed.set()

    def end(self, reason: str) -> None:
        """Close the connection after the waiting events are sent."""
        if self.ended_as is None:
            self.ended_as = reason
            self._changed.set()

    def keep(self) -> None:
        """Send a comment after a long silence, and close the connection if its peer has read nothing for too long."""
        silent_seconds = time.monotonic() - self._sent_at
        if self._sending:
            if silent_seconds > SEND_SECONDS and self.send_timeout is not None:
                self.end("slow")
                self.send_timeout.reschedule(asyncio.get_running_loop().time())
                self.send_timeout = None  # a timeout can expire only once
        elif silent_seconds > self._heartbeat_seconds:
            self._is_silent = True
            self._changed.set()

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yields `first`, then events as they arrive, in chunks of about `CHUNK_BYTES`, until the end."""
        chunk, self.first = self.first, b""
        while True:
            if chunk:
                self._sending, self._sent_at = True, time.monotonic()
                yield chunk
                self._sending, self._sent_at = False, time.monotonic()
                if len(chunk) >= CHUNK_BYTES:
                    await asyncio.sleep(0)  # let other tasks run while a long history is sent
            elif self.ended_as is not None:
                self._sending = True  # the end of the response, which may wait as well
                return
            else:
                self._changed.clear()
                await self._changed.wait()
            chunk = self._take() or self._comment()

    def _take(self) -> bytes:
        """The next chunk of about `CHUNK_BYTES`; empty if nothing waits."""
        frames: list[bytes] = []
        size = 0
        while self._waiting and size < CHUNK_BYTES:
            shared = self._waiting.popleft()
            self._waiting_bytes -= shared.size
            if shared.version > self.after_version:
                frames.append(shared.frame)
                size += shared.size
        return b"".join(frames)

    def _comment(self) -> bytes:
        """The heartbeat comment, if it is due."""
        is_due, self._is_silent = self._is_silent, False
        return COMMENT if is_due else b""


class EventStream(StreamingResponse):
    """A response of server-sent events.

    It enters `following` before the response starts, so that its errors become problem responses. FastAPI's event
    streams encode each event again for each client (120 µs instead of 25, measured), and sse-starlette polls every half
    second to end streams; only these few lines remain beside Starlette's response.
    """

    media_type = "text/event-stream"

    def __init__(self, following: AbstractAsyncContextManager[SseConnection], status_code: int = 200) -> None:
        # Without no-transform, proxies (Next's among them) compress, and keep the events until the stream ends.
        headers = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
        super().__init__(iter(()), status_code, headers=headers)
        self._following = following

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry. Resets a connection whose peer reads nothing, and drops its buffers."""
        async with self._following as connection, aclosing(connection.chunks()) as self.body_iterator:
            if scope["method"] == "HEAD":  # RFC 9110 §9.3.2: as for GET, and no events
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                await send({"type": "http.response.body"})
                return
            bound_buffers(scope)
            try:
                async with asyncio.timeout(None) as send_timeout:
                    connection.send_timeout = send_timeout
                    await super().__call__(scope, receive, send)
            except TimeoutError:
                if not send_timeout.expired():
                    raise
                if abort(scope):
                    await receive()  # "disconnect", as soon as the connection is gone
            finally:
                connection.send_timeout = None
