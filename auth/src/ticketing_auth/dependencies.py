"""What the routes are given."""

from typing import Annotated, TypeAlias

from fastapi import Depends, Request, Response

from ticketing_common.web import RateLimiter

from .service import AuthService
from .settings import Settings

__all__ = [
    "AuthServiceDep",
    "RateLimits",
    "RateLimitsDep",
    "SessionCookie",
    "SessionCookieDep",
    "SettingsDep",
    "not_stored",
]


class RateLimits:
    """Few tries per account against guessing one password, more per address against trying one on all accounts.

    The account's limit counts by address as well: otherwise anybody could lock anybody out.
    """

    def __init__(self, settings: Settings) -> None:
        off = settings.rate_limit_signin == "off"
        self._account = RateLimiter(settings.rate_limit_signin, name="sign-in")
        self._address = RateLimiter("off" if off else settings.rate_limit_signin_address, name="sign-in-address")
        self._sign_up = RateLimiter(settings.rate_limit_signup, name="sign-up")

    async def check_sign_in(self, request: Request, *, email: str, address: str) -> None:
        """Count a try to sign in; raises `TooManyRequestsError`."""
        await self._address.check(request, address)
        await self._account.check(request, address, email)

    async def check_sign_up(self, request: Request, *, address: str) -> None:
        """Count a try to sign up; raises `TooManyRequestsError`."""
        await self._sign_up.check(request, address)


class SessionCookie:
    """The browser's side of a session: no script reads it, other sites' posts do not carry it."""

    def __init__(self, request: Request, response: Response) -> None:
        self._settings: Settings = request.app.state.settings
        self._response = response
        self.brought: bool = request.state.session_cookie
        """Whether the request was authenticated by cookie, rightly or not."""

    def set(self, token: str) -> None:
        """Give the browser this token, for as long as it is valid."""
        self._response.set_cookie(
            self._settings.cookie_name,
            token,
            max_age=self._settings.session_minutes * 60,
            path="/",
            secure=self._settings.cookie_secure,
            httponly=True,
            samesite="lax",
        )

    def delete(self) -> None:
        """Take it from the browser."""
        self._response.delete_cookie(
            self._settings.cookie_name,
            path="/",
            secure=self._settings.cookie_secure,
            httponly=True,
            samesite="lax",
        )


async def auth_service(request: Request) -> AuthService:
    """The one service object of this process."""
    service: AuthService = request.app.state.service
    return service


async def rate_limits(request: Request) -> RateLimits:
    """The counters of this process."""
    limits: RateLimits = request.app.state.rate_limits
    return limits


async def settings(request: Request) -> Settings:
    """What the process was started with."""
    found: Settings = request.app.state.settings
    return found


async def session_cookie(request: Request, response: Response) -> SessionCookie:
    """The session cookie of this request and its answer."""
    return SessionCookie(request, response)


async def not_stored(response: Response) -> None:
    """Answers about a session belong to one person at one moment (RFC 6749 §5.1 demands it of tokens)."""
    response.headers["Cache-Control"] = "no-store"


AuthServiceDep: TypeAlias = Annotated[AuthService, Depends(auth_service)]
RateLimitsDep: TypeAlias = Annotated[RateLimits, Depends(rate_limits)]
SettingsDep: TypeAlias = Annotated[Settings, Depends(settings)]
SessionCookieDep: TypeAlias = Annotated[SessionCookie, Depends(session_cookie)]
