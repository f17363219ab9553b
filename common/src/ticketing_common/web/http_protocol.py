"""uvicorn's HTTP/1.1 protocol with the limits that it lacks: time, size and number.

uvicorn loads it by `--http ticketing_common.web.http_protocol:HttpProtocol`. It relies on few internals of uvicorn's
class, and the version is pinned to one minor release.
"""

import asyncio
import json
import resource
from typing import Any, Final
from weakref import WeakKeyDictionary

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from .certificates import ServedCertificate
from .connections import WRITE_SECONDS, BoundedConnection
from .request_scope import security_headers

HEAD_SECONDS: Final = 10.0
"""From the first byte of a request's head (or the start of a new connection) to its last."""
HEAD_BYTES: Final = 32 * 1024
HEADERS: Final = 100
"""As many headers as Envoy allows, and twice the bytes of Node's limit."""
PIPELINED: Final = 16
"""Pipelined requests that may wait for an earlier response. Each costs 3 KB, and one read can bring 14,000."""
DRAIN_SECONDS: Final = 5.0
"""After a response that was sent before the whole body arrived, the rest is discarded for this long (RFC 9112 §9.6)."""
LAST_READ_SECONDS: Final = 0.05
"""Between the end of the time for a request and the close."""
RESERVED_FILES: Final = 100
"""File descriptors reserved for everything but callers' connections."""
REASONS: Final = {400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large"}


class _Ignored(list[tuple[bytes, bytes]]):
    """Discards trailers. uvicorn would add them to the request's headers, which RFC 9110 §6.5.1 forbids."""

    def append(self, _header: tuple[bytes, bytes]) -> None:
        """Discard the trailer."""


class _Callers:
    """One server's connections that wait for a request, longest wait first, their limit, and its certificate."""

    def __init__(self, limit: int | None, config: Config) -> None:
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - RESERVED_FILES
        self.limit = files if limit is None else min(limit, files)
        self.waiting: dict[HttpProtocol, None] = {}
        self.certificate = ServedCertificate(config)


_SERVERS: Final[WeakKeyDictionary[ServerState, _Callers]] = WeakKeyDictionary()


class HttpProtocol(BoundedConnection):
    """Answers slow or large request heads with 408 or 431, and closes idle connections when the limit is reached.

    `--limit-concurrency` limits connections. uvicorn refuses the newest connection with a 503, even a probe of the
    cluster; here the connection that has waited longest for its next request is closed instead.

    A request that arrives in one piece costs two extra dictionary operations.
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
            callers = _SERVERS[server_state] = _Callers(self.limit_concurrency, config)
        self._callers = callers
        callers.certificate.refresh()
        self.limit_concurrency = None
        self.ws_protocol_class = None  # no WebSockets: an upgrade request is handled as any other
        self._in_head = True
        self._in_body = False
        self._fed = 0
        """Bytes received of the current head."""
        self._refusal = 400
        self._timer: asyncio.TimerHandle | None = None

    # --- connections -----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Close the longest idle connection if the limit is reached, and wait for a request's head."""
        super().connection_made(transport)
        self._set_timer(HEAD_SECONDS, self._on_head_timeout)
        self._callers.waiting[self] = None
        if len(self.connections) > self._callers.limit:
            next(iter(self._callers.waiting)).make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._callers.waiting.pop(self, None)
        self._stop_timer()
        self._unset_keepalive_if_required()  # uvicorn leaves it after a reset, which would keep this object
        self.pipeline.clear()

    def make_room(self) -> None:
        """Close this idle connection for another. A caller that uses it again repeats its request (RFC 9110 §9.2.2)."""
        self._callers.waiting.pop(self, None)
        self.connections.discard(self)
        self.transport.abort()

    # --- a request's head ------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and check the size of an incomplete head."""
        if self.transport.is_closing():
            return
        if self._in_head:
            self._fed += len(data)
        super().data_received(data)
        if self._in_head and self._fed and not self.transport.is_closing():
            if self._fed > HEAD_BYTES:
                self._refuse(431)
            elif self._timer is None:
                self._set_timer(HEAD_SECONDS, self._on_head_timeout)

    def on_headers_complete(self) -> None:
        """The head is complete: check its limits, and pass it on."""
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
        """The request is complete; next comes another head."""
        self._in_head, self._in_body = True, False
        super().on_message_complete()
        self._await_next_request()

    def on_response_complete(self) -> None:
        """The response is sent; discard the rest of the request."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._close()
        elif self._in_body and self.cycle.response_complete:
            self._set_timer(DRAIN_SECONDS, self._close)
        else:
            self._await_next_request()

    def _await_next_request(self) -> None:
        if self._in_body or not self.cycle.response_complete or self.transport.is_closing():
            return
        if not self._fed:
            self._stop_timer()
        if self.timeout_keep_alive_task is None:  # uvicorn forgets it when the body ends after the answer
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        self._callers.waiting[self] = None

    def _on_head_timeout(self) -> None:
        self._timer = None
        if self._fed:
            self._refuse(408)
        else:
            self._close_idle()

    # --- ends of connections ---------------------------------------------------------------------------------------

    def timeout_keep_alive_handler(self) -> None:
        """The keep-alive time passed without a request."""
        self._close_idle()

    def _close_idle(self) -> None:
        """Close, unless a request has arrived that is not read yet.

        A busy event loop may run a timer before it reads what has arrived, and a close would reset that request.
        """
        # uvicorn cancels the keep-alive timer when it reads a byte.
        self.timeout_keep_alive_task = self.loop.call_later(LAST_READ_SECONDS, self._close)

    def _close(self) -> None:
        """Close after the caller has read the buffered response, or after `WRITE_SECONDS` at the latest."""
        self.transport.close()
        self._set_timer(WRITE_SECONDS, self.transport.abort)

    # --- refusals --------------------------------------------------------------------------------------------------

    def _refuse(self, status: int) -> None:
        self._refusal = status
        self.send_400_response("")

    def send_400_response(self, msg: str) -> None:
        """Refuse with problem+json. Resets the connection instead if an earlier response is not complete."""
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
            *security_headers(behind_tls=False),
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
