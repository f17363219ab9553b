"""Reads a request's body before any other work, with limits on size, speed and total bytes."""

import asyncio
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ticketing_common.asgi import header_of
from ticketing_common.errors import OverloadedError, RequestTimeoutError, TooLargeError

MAX_BODY_BYTES: Final = 64 * 1024
MAX_BODIES_BYTES: Final = 32 * 1024 * 1024
"""Total of all request bodies that one replica holds at the same time."""
GRACE_SECONDS: Final = 5.0
FLOOR_BYTES_PER_SECOND: Final = 4 * 1024
"""A body may take `GRACE_SECONDS` and the time that its bytes take at this rate: 21 s for 64 KiB."""


class RequestBodyMiddleware:
    """Raises `TooLargeError`, `RequestTimeoutError` or `OverloadedError` when a limit is exceeded.

    It reads the whole body first, so that a slow sender holds only its connection and bytes: it does not count as in
    flight, claims no key and holds no lock. The bytes of all requests are bounded: over `max_total_bytes` it drops the
    body that has been arriving longest, because normal bodies arrive at once. If complete bodies alone reach the limit,
    it refuses the new request.

    A request without a body costs nothing: it has neither a length nor Transfer-Encoding (RFC 9112 §6.3).
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int, max_total_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._max_total_bytes = max_total_bytes
        self._total = 0
        self._arriving: dict[_Arrival, None] = {}
        """Oldest first."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        announced = header_of(scope, b"content-length") or b"0"
        if announced.isdigit() and (len(announced) > 18 or int(announced) > self._max_bytes):
            raise self._too_large()
        arrival = _Arrival()
        try:
            await self._read(arrival, receive)
            body = bytes(arrival.body)
            arrival.body.clear()
            await self._app(scope, _replayed(body, receive), send)
        finally:
            self._forget(arrival)

    async def _read(self, arrival: "_Arrival", receive: Receive) -> None:
        began = asyncio.get_running_loop().time()
        self._arriving[arrival] = None
        try:
            async with asyncio.timeout_at(began + GRACE_SECONDS) as arrival.clock:
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise RequestTimeoutError("The caller left before its body was complete.")
                    if arrival.given_up:
                        raise TimeoutError
                    self._take(arrival, message)
                    if not message.get("more_body", False):
                        return
                    arrival.clock.reschedule(began + GRACE_SECONDS + arrival.size / FLOOR_BYTES_PER_SECOND)
        except TimeoutError:
            if arrival.given_up:
                raise OverloadedError("Too many request bodies are arriving.") from None
            raise RequestTimeoutError("The request's body arrived too slowly.") from None
        finally:
            del self._arriving[arrival]

    def _take(self, arrival: "_Arrival", message: Message) -> None:
        chunk = message.get("body", b"")
        if arrival.size + len(chunk) > self._max_bytes:
            raise self._too_large()
        while self._total + len(chunk) > self._max_total_bytes:
            self._give_up_the_oldest(but=arrival)
        arrival.body += chunk
        arrival.size += len(chunk)
        self._total += len(chunk)

    def _give_up_the_oldest(self, *, but: "_Arrival") -> None:
        for arrival in self._arriving:
            if arrival is not but and arrival.size:
                self._forget(arrival)
                arrival.give_up()
                return
        raise OverloadedError("Too many request bodies are in memory.")

    def _forget(self, arrival: "_Arrival") -> None:
        self._total -= arrival.size
        arrival.size = 0
        arrival.body.clear()

    def _too_large(self) -> TooLargeError:
        return TooLargeError(f"At most {self._max_bytes:,} bytes are read.")


class _Arrival:
    """A body that is being received."""

    __slots__ = ("body", "clock", "given_up", "size")

    def __init__(self) -> None:
        self.body = bytearray()
        self.size = 0
        """Bytes that count against the total, until the request ends."""
        self.clock: asyncio.Timeout | None = None
        self.given_up = False

    def give_up(self) -> None:
        """Stop reading at the event loop's next iteration."""
        self.given_up = True
        if self.clock is not None:
            self.clock.reschedule(asyncio.get_running_loop().time())


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Replays the body that was read, then passes on further messages."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _has_body(scope: Scope) -> bool:
    for name, value in scope["headers"]:
        if name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
            return True
    return False
