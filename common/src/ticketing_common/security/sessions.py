"""The session of a request: read once before any route, checked for its origin and its end, and given to the routes."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.openapi.models import APIKey, APIKeyIn, HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.types import ASGIApp, Receive, Scope, Send

from ticketing_common.asgi import header_of
from ticketing_common.errors import ForbiddenError, UnauthenticatedError
from ticketing_common.events import SessionEndedData, UserData

from .tokens import TokenVerifier, User

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # RFC 9110 §9.2.1


def first_cookie(cookies: Mapping[str, str], names: Iterable[str]) -> str | None:
    """The value of the first of these cookies in the request, or None."""
    return next((cookies[name] for name in names if name in cookies), None)


def _cookies_of(scope: Scope) -> dict[str, str]:
    """Every cookie's value by its name, the last of several with one name; in linear time.

    Quotes around a value are not part of it (RFC 6265 §4.1.1); nothing inside is escaped, since ours are tokens.
    `http.cookies`, which Starlette uses, takes escapes off in quadratic time in Python before 3.11.10 and 3.12.6
    (CVE-2024-7592): a header of 62 KB stopped the event loop for 12 s (measured).
    """
    found: dict[str, str] = {}
    for key, value in scope["headers"]:
        if key == b"cookie":
            for pair in value.decode("latin-1").split(";"):
                name, equals, content = pair.partition("=")
                if equals:
                    found[name.strip()] = content.strip().removeprefix('"').removesuffix('"')
    return found


class SessionRevocations:
    """The ended sessions, in this replica's memory, each until no token of it can be valid.

    A session that ended alone is kept by its id. Where all sessions of an account ended, the session epoch decides, so
    a sign-in right after a revocation is valid, whatever the clocks say. Events may come twice and in any order: the
    highest epoch counts. A token without an epoch, from before accounts had one, is ended if its sign-in may have been
    before the revocation; `signed_in_at` has whole seconds.
    """

    def __init__(self) -> None:
        self._latest: OrderedDict[str, UserData] = OrderedDict()
        self._single: OrderedDict[str, SessionEndedData] = OrderedDict()

    def __len__(self) -> int:
        """Number of accounts with a revocation, and of sessions that ended alone."""
        return len(self._latest) + len(self._single)

    def note(self, data: UserData) -> None:
        """Take the state of an account from an event, and drop what has become unnecessary."""
        now = datetime.now(UTC)
        known = self._latest.get(data.user_id)
        if data.tokens_end_at > now and (known is None or known.session_epoch < data.session_epoch):
            self._latest[data.user_id] = data
            self._latest.move_to_end(data.user_id)
        while self._latest and next(iter(self._latest.values())).tokens_end_at <= now:
            self._latest.popitem(last=False)

    def note_session(self, data: SessionEndedData) -> None:
        """Take one ended session from an event, and drop those whose tokens have all expired."""
        now = datetime.now(UTC)
        if data.tokens_end_at > now:
            self._single.setdefault(data.session_id, data)
        while self._single and next(iter(self._single.values())).tokens_end_at <= now:
            self._single.popitem(last=False)

    def ended(self, user: User) -> bool:
        """Whether the session of this token was ended: two lookups in memory."""
        if user.session_key in self._single:
            return True
        latest = self._latest.get(user.id)
        if latest is None:
            return False
        if user.session_epoch is None:
            return user.signed_in_at < latest.revoked_before
        return user.session_epoch < latest.session_epoch


class OriginCheck:
    """Protection against cross-site request forgery: refuses a change by session cookie that comes from another site.

    Browsers send `Origin` with every such request (Fetch standard), and `Sec-Fetch-Site` says the same in one word; a
    request with neither is not from a browser's page. Browsers do not send bearer tokens on their own, so these need no
    check.
    """

    def __init__(self, *, allowed_origins: Sequence[str], cookie_names: Sequence[str]) -> None:
        self._allowed = frozenset(origin.rstrip("/") for origin in allowed_origins)
        self._cookie_names = tuple(cookie_names)

    def check(self, scope: Scope) -> None:
        """Raise `ForbiddenError` for such a request."""
        if scope["method"] in SAFE_METHODS or first_cookie(_cookies_of(scope), self._cookie_names) is None:
            return
        headers = Request(scope).headers
        origin = headers.get("origin")
        own_page = (
            headers.get("sec-fetch-site", "none") in {"same-origin", "none"}
            if origin is None
            else origin in self._allowed
        )
        if not own_page:
            raise ForbiddenError("This request did not come from our own pages.")


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
        cookies = _cookies_of(scope)
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
    """Makes the `OriginCheck` of every request, and reads its session with a `SessionReader`.

    It refuses no request without a user: each route says whether it needs one. Pure ASGI, since Starlette's
    BaseHTTPMiddleware halves the throughput (measured).
    """

    def __init__(self, app: ASGIApp, *, origins: OriginCheck, sessions: SessionReader) -> None:
        self._app = app
        self._origins = origins
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry; raises `ForbiddenError`, which the middleware outside renders."""
        if scope["type"] == "http":
            self._origins.check(scope)
            self._sessions.read(scope)
            if header_of(scope, b"cookie") is not None:
                # FastAPI would parse it at every request, even if no route needs a cookie.
                scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"cookie"]
        await self._app(scope, receive, send)


class _Bearer(SecurityBase):
    """The bearer scheme, for the OpenAPI document only."""

    scheme_name = "HTTPBearer"
    model = HTTPBearer(description="Token from POST /api/users/token")

    async def __call__(self) -> None:
        """Does nothing: the middleware has read the header."""


class _OptionalUser(SecurityBase):
    """The signed-in user, or None.

    Cheap, because the middleware has authenticated the request. It is also the security scheme of the OpenAPI document:
    one more dependency would cost as much as a small middleware, at every request (measured).
    """

    scheme_name = "APIKeyCookie"
    model = APIKey(
        **{"in": APIKeyIn.cookie},
        name="session",
        description="Session cookie set by sign-in; over HTTPS `__Host-session`",
    )

    async def __call__(self, request: Request, _: Annotated[None, Depends(_Bearer())]) -> User | None:
        user: User | None = request.state.user
        return user


class _CurrentUser(_OptionalUser):
    """The signed-in user; raises `UnauthenticatedError`."""

    async def __call__(self, request: Request, _: Annotated[None, Depends(_Bearer())]) -> User:
        return require_user(request)


def require_user(request: Request) -> User:
    """The signed-in user; raises `UnauthenticatedError`. For dependencies that need only the user."""
    user: User | None = request.state.user
    if user is None:
        error: UnauthenticatedError | None = request.state.authentication_error
        raise error or UnauthenticatedError("Sign in first.")
    return user


OptionalUser = Annotated[User | None, Depends(_OptionalUser())]
CurrentUser = Annotated[User, Depends(_CurrentUser())]
