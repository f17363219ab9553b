"""Protection against cross-site request forgery: a request with the session cookie must come from our own pages."""

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ticketing_common.errors import ForbiddenError

from .cookies import cookies_of, first_cookie

__all__ = ["OriginCheck", "OriginCheckMiddleware"]

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # RFC 9110 §9.2.1


class OriginCheck:
    """Refuses state-changing requests that have a session cookie and come from another site.

    Browsers send `Origin` with every such request (Fetch standard), and `Sec-Fetch-Site` says the same in one word; a
    request with neither is not from a browser's page. Browsers do not send bearer tokens on their own, so these need no
    check.
    """

    def __init__(self, *, allowed_origins: Sequence[str], cookie_names: Sequence[str]) -> None:
        self._allowed = frozenset(origin.rstrip("/") for origin in allowed_origins)
        self._cookie_names = tuple(cookie_names)

    def check(self, scope: Scope) -> None:
        """Raise `ForbiddenError` for such a request."""
        is_change = scope["type"] == "http" and scope["method"] not in SAFE_METHODS
        if is_change and self._has_session(scope) and not self._own_page(Request(scope)):
            raise ForbiddenError("This request did not come from our own pages.")

    def _has_session(self, scope: Scope) -> bool:
        return first_cookie(cookies_of(scope), self._cookie_names) is not None

    def _own_page(self, request: Request) -> bool:
        origin = request.headers.get("origin")
        if origin is not None:
            return origin in self._allowed
        return request.headers.get("sec-fetch-site", "none") in {"same-origin", "none"}


class OriginCheckMiddleware:
    """Makes the `OriginCheck` of every request."""

    def __init__(self, app: ASGIApp, *, allowed_origins: Sequence[str], cookie_names: Sequence[str]) -> None:
        self._app = app
        self._origins = OriginCheck(allowed_origins=allowed_origins, cookie_names=cookie_names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry; raises `ForbiddenError`, which the error middleware outside renders."""
        self._origins.check(scope)
        await self._app(scope, receive, send)
