"""Caches responses: served while nothing has changed, and served stale while the database is unavailable."""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ticketing_common.asgi import ends_answer
from ticketing_common.errors import OverloadedError
from ticketing_common.resilience import limited_by, time_left
from ticketing_common.storage import DatabaseUnavailableError
from ticketing_common.telemetry import get_logger
from ticketing_common.telemetry.metrics import STALE_ANSWERS, init_series

from .change_counter import ChangeCounter
from .early_answers import EarlyRequest

log = get_logger(__name__)

E = TypeVar("E", bound=Callable[..., Any])
_CACHED: Final = "answered_from_cache"

REMEMBERED: Final = 200
"""Responses; a page of 20 tickets has about 8 KB."""
MAX_BODY_BYTES: Final = 64 * 1024
FRESH_SECONDS: Final = 1.0
"""The event of another replica's change arrives after some 20 ms. If it is late, no older response counts as fresh."""
PATIENCE_SECONDS: Final = 2.0
"""How long a request waits for a new response when a cached one exists: a database that hangs fails only after 10 s."""
PATIENCE_WHILE_AWAY_SECONDS: Final = 0.5
ANSWER_SECONDS: Final = 0.02
"""The part of the caller's remaining time that is reserved for sending the cached response."""
SHARED_WAIT_SECONDS: Final = 0.25
"""How long a request waits for another that computes the same response; afterwards it computes its own."""
LEFT_ALONE_SECONDS: Final = 1.0
"""How long a database that was just found unavailable gets no query, and then one request at a time: the other requests
need not wait for their own timeout, and the database is not overloaded when it recovers."""
STALE_HEADERS: Final = ((b"warning", b'110 - "Response is Stale"'), (b"cache-control", b"no-store"))
KEPT_HEADERS: Final = frozenset({b"content-type", b"link"})


@dataclass(frozen=True, slots=True)
class _Answer:
    headers: list[tuple[bytes, bytes]]
    body: bytes
    at: float
    mark: int | None
    """The version of `ChangeCounter` before the response was computed."""
    route: object
    """The route of the response, for metrics by route."""
    revise: Callable[[bytes], bytes] | None
    """Corrects the body for the current time."""

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await self.send_with(send)

    async def send_with(self, send: Send, *more: tuple[bytes, bytes]) -> None:
        """Send it with more headers."""
        headers = [*self.headers, (b"content-length", b"%d" % len(self.body)), *more]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


@dataclass(slots=True)
class _Absence:
    """The database did not respond."""

    mark: int | None
    again_at: float

    def forbids_query(self, mark: int | None) -> bool:
        """Whether a request must not query the database now. A change since then shows that it is available again."""
        return self.mark == mark and time.monotonic() < self.again_at


def cached(endpoint: E) -> E:
    """Decorate the GET of a list that is the same for every caller: its responses are cached until something changes.

    The service passes its `ChangeCounter` to `create_service_app`. `ResponseCacheMiddleware` documents when a response
    is served from the cache. It stands outside of load shedding and authentication: a cached response needs neither,
    and an overloaded service can still send it.
    """
    endpoint.__dict__[_CACHED] = True
    return endpoint


def cached_paths(routers: Iterable[APIRouter]) -> list[str]:
    """The paths of the routes that are `cached`, relative to the service's prefix."""
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    return [route.path for route in routes if _CACHED in route.endpoint.__dict__]


class ResponseCache:
    """The responses of one path, by query."""

    def __init__(self, changes: ChangeCounter) -> None:
        self.changes = changes
        self.answers: OrderedDict[bytes, _Answer] = OrderedDict()

    def fresh(self, query: bytes) -> _Answer | None:
        """The response to this query, if nothing has changed since it was computed, a second ago at most."""
        known = self.answers.get(query)
        if known is None or time.monotonic() - known.at >= FRESH_SECONDS:
            return None
        mark = self.changes.version()
        return known if mark is not None and mark == known.mark else None

    async def early(self, request: EarlyRequest) -> ASGIApp | None:
        """The fresh response, as an `EarlyAnswer`."""
        return self.fresh(request.scope["query_string"])

    def keep(self, query: bytes, answer: _Answer) -> None:
        """Store a response, unless it is too large; the oldest of too many is removed."""
        if len(answer.body) > MAX_BODY_BYTES:
            return
        self.answers[query] = answer
        self.answers.move_to_end(query)
        if len(self.answers) > REMEMBERED:
            self.answers.popitem(last=False)


class ResponseCacheMiddleware:
    """Caches the GET responses of one path, by query: finished bytes, so a hit costs only the sending.

    For lists that are the same for every caller, since the key contains nothing about the caller. While `changes`
    reports no change since the response was computed, and for a second at most, the response is repeated unchanged.
    While the database is unavailable it is repeated at any age, marked with `Age` (RFC 9111 §5.1) and `Warning: 110`
    (RFC 7234 §5.5.1, obsolete but still understood by clients). A query that is not cached is then a 503, as on every
    other route.

    A fresh response is an `EarlyAnswer`, too, so that most requests do not come as far as this middleware.

    Where time alone makes a response wrong, its route stores a function in `request.state.revise_answer`, from the old
    body to the current one. A stale response goes through it; a fresh one is repeated unchanged, for a second at most.

    After a failure every caller gets the stale list. So a failure counts only if the database had its full time and
    answered no other request meanwhile: a caller with less remaining time, or one slow query, does not count.
    """

    def __init__(self, app: ASGIApp, *, service: str, path: str, cache: ResponseCache) -> None:
        self._app = app
        self._service = service
        self._path = path
        self._cache = cache
        self._away: _Absence | None = None
        self._computing: dict[bytes, asyncio.Event] = {}
        """By query; set when the response is kept, or the request that computed it has ended."""
        self._succeeded_at = 0.0
        """When the last request for this list succeeded (seconds of the monotonic clock)."""
        init_series(STALE_ANSWERS, (service,))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] != self._path:
            await self._app(scope, receive, send)
            return
        query: bytes = scope["query_string"]
        fresh = self._cache.fresh(query) or await self._computed_by_another(query)
        if fresh is not None:
            scope["route"] = fresh.route
            await fresh(scope, receive, send)
            return
        ended = asyncio.Event()
        computing = self._computing.setdefault(query, ended) is ended
        try:
            await self._compute(query, ended, scope, receive, send)
        finally:
            ended.set()
            if computing:
                del self._computing[query]

    async def _computed_by_another(self, query: bytes) -> _Answer | None:
        """The response of a request that was computing it already, if nothing has changed meanwhile.

        Without this, every second all concurrent requests would compute the same response.
        """
        computing = self._computing.get(query)
        if computing is None or self._away is not None or self._cache.changes.version() is None:
            return None
        with suppress(TimeoutError):
            async with asyncio.timeout(SHARED_WAIT_SECONDS):
                await computing.wait()
        return self._cache.fresh(query)

    async def _compute(self, query: bytes, ended: asyncio.Event, scope: Scope, receive: Receive, send: Send) -> None:
        known = self._cache.answers.get(query)
        # Before the query: a change during the query makes its result stale.
        mark = self._cache.changes.version()
        left = _callers_time_left()
        patience = PATIENCE_SECONDS if known else None
        if known and self._away:
            if self._away.forbids_query(mark) or left < PATIENCE_WHILE_AWAY_SECONDS:
                await self._send_stale(known, "database not queried", send)
                return
            self._away = _Absence(mark, time.monotonic() + LEFT_ALONE_SECONDS)  # this request queries, for all others
            patience = PATIENCE_WHILE_AWAY_SECONDS
        had_its_time = left >= (PATIENCE_SECONDS if patience is None else patience)
        if patience is not None:
            patience = min(patience, left)
        asked_at = time.monotonic()
        started: Message | None = None
        body = bytearray()
        sent = False

        async def remember(message: Message) -> None:
            nonlocal started, sent
            if message["type"] == "http.response.start":
                started = message
                if message["status"] == 200:
                    self._away, self._succeeded_at = None, time.monotonic()
            else:
                body.extend(message.get("body", b""))
                if ends_answer(message) and started is not None and started["status"] == 200:
                    headers = [(name, value) for name, value in started["headers"] if name.lower() in KEPT_HEADERS]
                    revise = scope.get("state", {}).get("revise_answer")
                    self._cache.keep(query, _Answer(headers, bytes(body), asked_at, mark, scope.get("route"), revise))
                    ended.set()  # before it is sent: this caller may read slowly
            clock.reschedule(None)
            sent = True
            await send(message)

        try:
            async with asyncio.timeout(patience) as clock:
                with limited_by(clock):  # one request a second queries, so its query must end soon
                    await self._app(scope, receive, remember)
        except (*DatabaseUnavailableError, OverloadedError, TimeoutError) as error:
            answered_others = self._succeeded_at > asked_at
            if not sent and had_its_time and not answered_others and not isinstance(error, OverloadedError):
                self._away = _Absence(mark, time.monotonic() + LEFT_ALONE_SECONDS)
            if sent or known is None:
                raise
            await self._send_stale(known, type(error).__name__, send)

    async def _send_stale(self, known: _Answer, reason: str, send: Send) -> None:
        age = int(time.monotonic() - known.at)
        STALE_ANSWERS.labels(self._service).inc()
        log.warning("stale response sent", path=self._path, age_seconds=age, reason=reason)
        if known.revise is not None:
            known = replace(known, body=known.revise(known.body))
        await known.send_with(send, (b"age", str(age).encode()), *STALE_HEADERS)


def _callers_time_left() -> float:
    """Seconds; infinity when the caller sent no timeout."""
    left = time_left()
    return math.inf if left is None else max(0.0, left - ANSWER_SECONDS)
