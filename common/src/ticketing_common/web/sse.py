"""Server-sent events on the wire: the text/event-stream format of WHATWG HTML §9.2, as an answer without an end."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Annotated, Any, Final, TypeAlias

from fastapi import Header
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from .connections import abort, bound_buffers

__all__ = [
    "CHUNK_BYTES",
    "COMMENT",
    "EVENT_STREAM",
    "EventStream",
    "LastEventId",
    "SharedFrame",
    "SseConnection",
    "frame",
]

QUEUE: Final = 256
"""So many events may wait for one stream of a single thing; one that does not keep up is cut off, and may come back."""
QUEUE_BYTES: Final = 64 * 1024
"""The same in bytes: the bodies of the events that wait."""
CHUNK_BYTES: Final = 8 * 1024
"""What is sent at once ends with the event that reaches this size: then the next waits until the peer has taken it."""
SEND_SECONDS: Final = 20.0
"""A stream whose peer takes nothing for this long is cut off."""
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


class SharedFrame:
    """One event, and the version of what it is about; made into bytes for the first stream that sends it.

    Most are sent to no stream: a replica is told of every order, and has few of their buyers. `size` is that of the
    event as it came from the bus, so that events can be counted in bytes before they are made into any.
    """

    __slots__ = ("_frame", "_render", "size", "version")

    def __init__(self, version: float, render: Callable[[], bytes], *, size: int) -> None:
        self.version = version
        self.size = size
        self._render: Callable[[], bytes] | None = render
        self._frame = b""

    @property
    def frame(self) -> bytes:
        """The event as it goes over the wire."""
        if self._render is not None:
            self._frame, self._render = self._render(), None
        return self._frame


class SseConnection:
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
        """There may be something to send."""
        self._changed.set()

    def end(self, reason: str) -> None:
        """What waits is still sent, and then no more."""
        if self.ended_as is None:
            self.ended_as = reason
            self._changed.set()

    def keep(self) -> None:
        """Send a comment if the stream was silent for long, and cut it off if its peer has taken nothing for long."""
        silent_seconds = time.monotonic() - self._sent_at
        if self._sending:
            if silent_seconds > SEND_SECONDS and self.patience is not None:
                self.end("slow")
                self.patience.reschedule(asyncio.get_running_loop().time())
                self.patience = None  # a timeout can expire only once
        elif silent_seconds > self._heartbeat_seconds:
            self._is_silent = True
            self._changed.set()

    async def chunks(self) -> AsyncGenerator[bytes]:
        """`first`, and then what comes, in pieces of about `CHUNK_BYTES`, until the end."""
        chunk, self.first = self.first, b""
        while True:
            if chunk:
                self._sending, self._sent_at = True, time.monotonic()
                yield chunk
                self._sending, self._sent_at = False, time.monotonic()
                if len(chunk) >= CHUNK_BYTES:
                    await asyncio.sleep(0)  # a long past is sent in turns with everything else
            elif self.ended_as is not None:
                self._sending = True  # the answer's end, which may wait as well
                return
            else:
                self._changed.clear()
                await self._changed.wait()
            chunk = self._take() or self._comment()

    def _take(self) -> bytes:
        """What is to be sent next, about `CHUNK_BYTES` of it; nothing if nothing waits."""
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
        """What shows that the connection lives, when it is time for it."""
        is_due, self._is_silent = self._is_silent, False
        return COMMENT if is_due else b""


class EventStream(StreamingResponse):
    """An answer of events.

    `following` is entered before the answer begins, so that what it raises is still an answer of its own. FastAPI's
    event streams make each event anew for each client (120 µs against 25, measured), and sse-starlette ends them by a
    look at the process every half second; what is left to do beside Starlette's answer is these few lines.
    """

    media_type = "text/event-stream"

    def __init__(self, following: AbstractAsyncContextManager[SseConnection], status_code: int = 200) -> None:
        # Without no-transform, proxies (Next's among them) compress, and keep the events until the stream ends.
        headers = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
        super().__init__(iter(()), status_code, headers=headers)
        self._following = following

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry. A connection whose peer takes nothing is reset, and what waits in its buffers is dropped."""
        async with self._following as connection, aclosing(connection.chunks()) as self.body_iterator:
            if scope["method"] == "HEAD":  # RFC 9110 §9.3.2: as for GET, and no events
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                await send({"type": "http.response.body"})
                return
            bound_buffers(scope)
            try:
                async with asyncio.timeout(None) as patience:
                    connection.patience = patience
                    await super().__call__(scope, receive, send)
            except TimeoutError:
                if not patience.expired():
                    raise
                if abort(scope):
                    await receive()  # "disconnect", as soon as the connection is gone
            finally:
                connection.patience = None
