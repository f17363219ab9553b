"""Reads the session cookie or the bearer header once, before any route."""

from collections.abc import Mapping, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from ticketing_common.errors import UnauthenticatedError
from ticketing_common.headers import header_of

from .cookies import cookies_of, first_cookie, without_cookies
from .revocations import SessionRevocations
from .tokens import TokenVerifier, User

__all__ = ["AuthenticationMiddleware", "SessionReader"]


class SessionReader:
    """Finds the user of a request, by the Authorization header, else by the session cookie.

    Of several session cookies the first one in `cookie_names` counts, even when its token is not valid. The signature
    of a token is checked once per replica (`TokenVerifier`); whether its session has ended is checked at every request.
    """

    def __init__(
        self, *, verifier: TokenVerifier, cookie_names: Sequence[str], revocations: SessionRevocations | None = None
    ) -> None:
        self._verifier = verifier
        self._revocations = SessionRevocations() if revocations is None else revocations
        self._cookie_names = tuple(cookie_names)

    def read(self, scope: Scope) -> User | None:
        """The user, or None. Sets in the request's state: `user`, `authentication_error` (the reason for None),
        `session_cookie` (whether the token came by cookie) and `cookies` (all by name).
        """
        cookies = cookies_of(scope)
        token, from_cookie = self._token(scope, cookies)
        state = scope.setdefault("state", {})
        state.update(user=None, authentication_error=None, session_cookie=from_cookie, cookies=cookies)
        if not token:
            return None
        try:
            user = self._verifier.verify(token)
            if self._revocations.ended(user):
                raise UnauthenticatedError("The session has ended.")
        except UnauthenticatedError as error:
            state["authentication_error"] = error
            return None
        state["user"] = user
        return user

    def _token(self, scope: Scope, cookies: Mapping[str, str]) -> tuple[str | None, bool]:
        scheme, _, credentials = (header_of(scope, b"authorization") or b"").decode("latin-1").partition(" ")
        if scheme.lower() == "bearer":
            return credentials.strip(), False
        token = first_cookie(cookies, self._cookie_names)
        return token, bool(token)


class AuthenticationMiddleware:
    """Reads the session of every request with a `SessionReader`, and removes the Cookie header.

    It refuses nothing by itself: each route says whether it needs a user. Pure ASGI, since Starlette's
    BaseHTTPMiddleware halves the throughput (measured).
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        verifier: TokenVerifier,
        cookie_names: Sequence[str],
        revocations: SessionRevocations | None = None,
    ) -> None:
        self._app = app
        self._sessions = SessionReader(verifier=verifier, cookie_names=cookie_names, revocations=revocations)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        if scope["type"] == "http":
            self._sessions.read(scope)
            if header_of(scope, b"cookie") is not None:
                without_cookies(scope)
        await self._app(scope, receive, send)
