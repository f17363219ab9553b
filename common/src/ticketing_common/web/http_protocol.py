"""uvicorn's HTTP/1.1 connection with the limits that it lacks: how long, how large, and how many.

Named to uvicorn by `--http ticketing_common.web.http_protocol:HttpProtocol`. What it knows of uvicorn's class is small,
and the version is pinned to one minor release.
"""

import asyncio
import json
import resource
from typing import Any, Final
from weakref import WeakKeyDictionary

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from .connections import WRITE_SECONDS, BoundedConnection
from .security_headers import answer_headers

__all__ = ["HttpProtocol"]

HEAD_SECONDS: Final = 10.0
"""From a head's first byte (of a new connection: from its beginning) to its last."""
HEAD_BYTES: Final = 32 * 1024
HEADERS: Final = 100
"""As many as Envoy lets through, and twice the bytes of Node's limit."""
PIPELINED: Final = 16
"""Requests that may wait for the answer of the one before. Each costs 3 KB, and one read brings up to 14,000."""
DRAIN_SECONDS: Final = 5.0
"""After an answer that did not wait for the whole body: the rest is thrown away for so long (RFC 9112 §9.6)."""
RESERVED_FILES: Final = 100
"""Of those that the process may open, for everything but callers."""
REASONS: Final = {400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large"}


class _Ignored(list[tuple[bytes, bytes]]):
    """Where trailers go. They must not become headers (RFC 9110 §6.5.1), though uvicorn adds them to the request's."""

    def append(self, _header: tuple[bytes, bytes]) -> None:
        """Drop it."""


class _Callers:
    """The connections of one server that wait for a request, longest first, and how many there may be in all."""

    def __init__(self, limit: int | None) -> None:
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - RESERVED_FILES
        self.limit = files if limit is None else min(limit, files)
        self.waiting: dict[HttpProtocol, None] = {}


_SERVERS: Final[WeakKeyDictionary[ServerState, _Callers]] = WeakKeyDictionary()


class HttpProtocol(BoundedConnection):
    """Answers what is too slow or too large with 408 or 431, and closes what only costs.

    `--limit-concurrency` bounds connections. uvicorn refuses the newest with a 503, a probe of the cluster as well as
    any; here the connection that has waited longest for its next request is closed instead.

    A request that comes in one piece costs two dictionary operations more.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        callers = _SERVERS.get(server_state)
        if callers is None:
            callers = _SERVERS[server_state] = _Callers(self.limit_concurrency)
        self._callers = callers
        self.limit_concurrency = None
        self.ws_protocol_class = None  # we have no WebSockets: a request for one is answered as any other
        self._in_head = True
        self._in_body = False
        self._fed = 0
        """Bytes since this head began."""
        self._refusal = 400
        self._timer: asyncio.TimerHandle | None = None

    # --- connections -----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Make space for it, and wait for its head."""
        super().connection_made(transport)
        self._set_timer(HEAD_SECONDS, self._head_is_late)
        self._callers.waiting[self] = None
        if len(self.connections) > self._callers.limit:
            next(iter(self._callers.waiting)).give_way()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        super().connection_lost(exc)
        self._callers.waiting.pop(self, None)
        self._stop_timer()
        self.pipeline.clear()

    def give_way(self) -> None:
        """Another connection needs the place. A caller that uses it again sends its request anew (RFC 9110 §9.2.2)."""
        self._callers.waiting.pop(self, None)
        self.connections.discard(self)
        self.transport.abort()

    # --- a request's head ------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and look at a head that is not complete after it."""
        if self.transport.is_closing():
            return
        if self._in_head:
            self._fed += len(data)
        super().data_received(data)
        if self._in_head and self._fed and not self.transport.is_closing():
            if self._fed > HEAD_BYTES:
                self._refuse(431)
            elif self._timer is None:
                self._set_timer(HEAD_SECONDS, self._head_is_late)

    def on_headers_complete(self) -> None:
        """The head is here: judge it, and hand it on."""
        if self._fed > HEAD_BYTES or len(self.headers) > HEADERS:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > HEAD_BYTES or len(self.headers) > HEADERS:
                self._refusal = 431
                raise ValueError
        if len(self.pipeline) >= PIPELINED:
            raise ValueError
        self._in_head, self._in_body, self._fed = False, True, 0
        self._stop_timer()
        self._callers.waiting.pop(self, None)
        super().on_headers_complete()
        self.headers = _Ignored()

    def on_message_complete(self) -> None:
        """The request is here whole; what comes next is another head."""
        self._in_head, self._in_body = True, False
        super().on_message_complete()
        self._wait_for_the_next()

    def on_response_complete(self) -> None:
        """The answer is out; what the caller still sends of its request is of no use."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._close()
        elif self._in_body and self.cycle.response_complete:
            self._set_timer(DRAIN_SECONDS, self._close)
        else:
            self._wait_for_the_next()

    def _wait_for_the_next(self) -> None:
        if self._in_body or not self.cycle.response_complete or self.transport.is_closing():
            return
        if not self._fed:
            self._stop_timer()
        if self.timeout_keep_alive_task is None:  # uvicorn forgets it when the body ends after the answer
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        self._callers.waiting[self] = None

    def _head_is_late(self) -> None:
        self._timer = None
        if self._fed:
            self._refuse(408)
        else:
            self._close()

    # --- ends of connections ---------------------------------------------------------------------------------------

    def timeout_keep_alive_handler(self) -> None:
        """Nothing came for a while."""
        self._close()

    def _close(self) -> None:
        """When the caller has taken what is written for it, and at the latest when it does not."""
        self.transport.close()
        self._set_timer(WRITE_SECONDS, self.transport.abort)

    # --- refusals --------------------------------------------------------------------------------------------------

    def _refuse(self, status: int) -> None:
        self._refusal = status
        self.send_400_response("")

    def send_400_response(self, msg: str) -> None:
        """As all our refusals: problem+json. Nothing is said while the answer to an earlier request is under way."""
        before: RequestResponseCycle | None = self.cycle
        if before is not None and not before.response_complete:
            self.transport.abort()
            return
        title = REASONS[self._refusal]
        problem = {"type": "about:blank", "title": title, "status": self._refusal, "errors": [{"message": title}]}
        body = json.dumps(problem, separators=(",", ":")).encode()
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"application/problem+json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
            *answer_headers(behind_tls=False),
        ]
        head = b"".join(b"%b: %b\r\n" % header for header in headers)
        self.transport.write(b"HTTP/1.1 %d %b\r\n%b\r\n%b" % (self._refusal, title.encode(), head, body))
        self._close()

    # --- timers ----------------------------------------------------------------------------------------------------

    def _set_timer(self, seconds: float, then: Any) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, then)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
