"""Answers from memory, before the work that other requests cost."""

from collections.abc import Awaitable, Callable, Mapping
from types import SimpleNamespace
from typing import Final, TypeAlias

from starlette.types import ASGIApp, Receive, Scope, Send

from ticketing_common.security import OriginCheck, SessionReader, User

from .connections import arrived_body

MAX_BODY_BYTES: Final = 1_024
"""A longer body is left to the route: it takes longer to read than the answer saves."""


class EarlyRequest:
    """A request whose body is complete and whose user is not known yet."""

    __slots__ = ("_origins", "_sessions", "body", "scope")

    def __init__(self, scope: Scope, body: bytes, origins: OriginCheck, sessions: SessionReader) -> None:
        self.scope = scope
        self.body = body
        self._origins = origins
        self._sessions = sessions

    def identify(self) -> User | None:
        """The user, after the same checks as of every other request; raises `ForbiddenError` for a foreign page."""
        self._origins.check(self.scope)
        return self._sessions.read(self.scope)


EarlyAnswer: TypeAlias = Callable[[EarlyRequest], Awaitable[ASGIApp | None]]
"""The answer that the route would give, or None: then the route answers. Raises refusals, as a route does."""


class EarlyAnswerMiddleware:
    """Gives the `EarlyAnswer` of a method and a path, by which most requests of a rush end.

    It stands outside of the deadline, the limits of bodies and load shedding: what is answered here waits for nothing,
    and an overloaded service can still do it. A body that has not arrived completely is left to the route. Nothing is
    taken from the request, so the route finds it as it came.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        prefix: str,
        answers: Mapping[tuple[str, str], EarlyAnswer],
        origins: OriginCheck,
        sessions: SessionReader,
    ) -> None:
        """`answers` by method and by path, relative to `prefix`."""
        self._app = app
        self._answers = {
            # Metrics and logs read the path of a route relative to the prefix.
            (method, f"{prefix}{path}".encode()): (answer, SimpleNamespace(path=path))
            for (method, path), answer in answers.items()
        }
        self._origins = origins
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            # By the raw path, since a decoded one may have contained a slash: see `RoutingMiddleware`.
            found = self._answers.get((scope["method"], scope.get("raw_path", b"")))
            if found is not None:
                body = b"" if scope["method"] == "GET" else arrived_body(scope)
                if body is not None and len(body) <= MAX_BODY_BYTES:
                    answer, scope["route"] = found
                    response = await answer(EarlyRequest(scope, body, self._origins, self._sessions))
                    if response is not None:
                        await response(scope, receive, send)
                        return
        await self._app(scope, receive, send)
