"""Server-sent events on the wire: the text/event-stream format of WHATWG HTML §9.2, as an answer without an end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any, Final, TypeAlias

from fastapi import Header
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

__all__ = ["COMMENT", "EVENT_STREAM", "EventStream", "LastEventId", "frame"]

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


class EventStream(StreamingResponse):
    """An answer of events.

    `chunks` is entered before the answer begins, so that what it raises is still an answer of its own. FastAPI's event
    streams make each event anew for each client (120 µs against 25, measured), and sse-starlette ends them by a look at
    the process every half second; what is left to do beside Starlette's answer is these few lines.
    """

    media_type = "text/event-stream"

    def __init__(self, chunks: AbstractAsyncContextManager[AsyncIterator[bytes]], status_code: int = 200) -> None:
        # Without no-transform, proxies (Next's among them) compress, and keep the events until the stream ends.
        headers = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
        super().__init__(iter(()), status_code, headers=headers)
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry. Who takes nothing is left: the server then closes the connection."""
        stuck = False

        async def patient(message: Message) -> None:
            nonlocal stuck
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await send(message)
            except TimeoutError:
                stuck = True
                raise

        async with self._chunks as self.body_iterator:
            try:
                await super().__call__(scope, receive, patient)
            except TimeoutError:
                if not stuck:
                    raise
