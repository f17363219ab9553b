"""What was answered last: good while nothing has changed, and better than nothing while the database is away."""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ticketing_common.errors import OverloadedError
from ticketing_common.resilience import time_left, until
from ticketing_common.storage import DatabaseUnavailableError
from ticketing_common.telemetry import get_logger
from ticketing_common.telemetry.metrics import STALE_ANSWERS, init_series

from .change_counter import ChangeCounter
from .responses import ends_answer

__all__ = ["ResponseCacheMiddleware", "cached", "cached_paths"]

log = get_logger(__name__)

E = TypeVar("E", bound=Callable[..., Any])
_CACHED: Final = "answered_from_cache"

REMEMBERED: Final = 200
"""Answers; a page of 20 tickets has about 8 KB."""
MAX_BODY_BYTES: Final = 64 * 1024
FRESH_SECONDS: Final = 1.0
"""We hear of another replica's change in some 20 ms. Should the news be late, nothing older is shown as new."""
PATIENCE_SECONDS: Final = 2.0
"""So long is a new answer waited for when there is an old one: a database that hangs takes 10 s to say so."""
PATIENCE_WHILE_AWAY_SECONDS: Final = 0.5
ANSWER_SECONDS: Final = 0.02
"""Kept of a caller's own time for sending what is remembered."""
LEFT_ALONE_SECONDS: Final = 1.0
"""A database that was just found away is not asked for this long, and then by one request at a time: the others need
not find out for themselves, and it has enough to do when it comes back."""
STALE_HEADERS: Final = ((b"warning", b'110 - "Response is Stale"'), (b"cache-control", b"no-store"))
KEPT_HEADERS: Final = frozenset({b"content-type", b"link"})


@dataclass(frozen=True, slots=True)
class _Answer:
    headers: list[tuple[bytes, bytes]]
    body: bytes
    at: float
    mark: int | None
    """What `ChangeCounter` said before it was asked for."""
    route: object
    """Which route had answered, for whoever measures by route."""
    revise: Callable[[bytes], bytes] | None
    """Makes the body true again where time alone has changed it."""


@dataclass(slots=True)
class _Absence:
    """The database did not answer."""

    mark: int | None
    again_at: float

    def leaves_alone(self, mark: int | None) -> bool:
        """Whether to ask now makes no sense. A change that was heard of since shows that it is back."""
        return self.mark == mark and time.monotonic() < self.again_at


def cached(endpoint: E) -> E:
    """Decorate the GET of a list that is the same for every caller: its responses are cached until something changes.

    The service tells `create_service_app` what knows of its changes. `ResponseCacheMiddleware` says when a response is
    served from the cache, and stands outside of load shedding and of the checks of who is asking: a cached response
    needs neither, and is what an overloaded service can still give.
    """
    endpoint.__dict__[_CACHED] = True
    return endpoint


def cached_paths(routers: Iterable[APIRouter], *, prefix: str) -> list[str]:
    """The paths of the routes that are `cached`."""
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    return [f"{prefix}{route.path}" for route in routes if _CACHED in route.endpoint.__dict__]


class ResponseCacheMiddleware:
    """Remembers what GET answered for one path, by query: finished bytes, which cost a request nothing but sending.

    For lists that are the same for everybody, since nothing of the caller is part of the key. While `changes` knows of
    none since it was asked for, and for a second at most, an answer is repeated as it was. While the database is away
    it is repeated too, however old, and says so: `Age` (RFC 9111 §5.1) and `Warning: 110` (RFC 7234 §5.5.1, which
    clients still know). What was never asked for here is then a 503, as everything else.

    Where time alone makes an answer wrong, its route leaves a function in `request.state.revise_answer`, from the old
    body to the present one. What is answered while the database is away goes through it; any other answer is repeated
    for a second at most, as it was.

    One caller's failure is every caller's stale list, so it counts only if the database had the time that we give it,
    and answered nobody meanwhile: neither a caller with less time of its own nor one slow query says that it is away.
    """

    def __init__(self, app: ASGIApp, *, service: str, path: str, changes: ChangeCounter) -> None:
        self._app = app
        self._service = service
        self._path = path
        self._changes = changes
        self._answers: OrderedDict[bytes, _Answer] = OrderedDict()
        self._away: _Absence | None = None
        self._heard_at = 0.0
        """When the database last answered a question of this list."""
        init_series(STALE_ANSWERS, (service,))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] != self._path:
            await self._app(scope, receive, send)
            return
        query: bytes = scope["query_string"]
        known = self._answers.get(query)
        # Before the database is asked: a change during the question makes its answer old.
        mark = self._changes.version()
        if known and mark is not None and mark == known.mark and time.monotonic() - known.at < FRESH_SECONDS:
            scope["route"] = known.route
            await _send(known, send)
            return
        left = _time_of_the_caller()
        patience = PATIENCE_SECONDS if known else None
        if known and self._away:
            if self._away.leaves_alone(mark) or left < PATIENCE_WHILE_AWAY_SECONDS:
                await self._repeat(known, "left alone", send)
                return
            self._away = _Absence(mark, time.monotonic() + LEFT_ALONE_SECONDS)  # this one asks, for all the others
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
                    self._away, self._heard_at = None, time.monotonic()
            else:
                body.extend(message.get("body", b""))
                if ends_answer(message) and started is not None and started["status"] == 200:
                    headers = [(name, value) for name, value in started["headers"] if name.lower() in KEPT_HEADERS]
                    revise = scope.get("state", {}).get("revise_answer")
                    self._keep(query, _Answer(headers, bytes(body), asked_at, mark, scope.get("route"), revise))
            clock.reschedule(None)
            sent = True
            await send(message)

        try:
            async with asyncio.timeout(patience) as clock:
                with until(clock):  # one a second asks, so none may stay at the database for long
                    await self._app(scope, receive, remember)
        except (*DatabaseUnavailableError, OverloadedError, TimeoutError) as error:
            answered_others = self._heard_at > asked_at
            if not sent and had_its_time and not answered_others and not isinstance(error, OverloadedError):
                self._away = _Absence(mark, time.monotonic() + LEFT_ALONE_SECONDS)
            if sent or known is None:
                raise
            await self._repeat(known, type(error).__name__, send)

    def _keep(self, query: bytes, answer: _Answer) -> None:
        if len(answer.body) > MAX_BODY_BYTES:
            return
        self._answers[query] = answer
        self._answers.move_to_end(query)
        if len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)

    async def _repeat(self, known: _Answer, reason: str, send: Send) -> None:
        age = int(time.monotonic() - known.at)
        STALE_ANSWERS.labels(self._service).inc()
        log.warning("answered from memory", path=self._path, age_seconds=age, reason=reason)
        if known.revise is not None:
            known = replace(known, body=known.revise(known.body))
        await _send(known, send, (b"age", str(age).encode()), *STALE_HEADERS)


def _time_of_the_caller() -> float:
    """Seconds; infinity when it has not said."""
    left = time_left()
    return math.inf if left is None else max(0.0, left - ANSWER_SECONDS)


async def _send(known: _Answer, send: Send, *more: tuple[bytes, bytes]) -> None:
    headers = [*known.headers, (b"content-length", str(len(known.body)).encode()), *more]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": known.body})
