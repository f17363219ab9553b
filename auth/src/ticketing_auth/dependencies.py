"""The dependencies of the routes: the service, settings, rate limits and cookies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeAlias, TypedDict

from fastapi import Depends, Request, Response
from pydantic import SecretStr

from ticketing_common.security import CurrentUser, User, first_cookie
from ticketing_common.web import CallerLimits, RateLimiter, address, part_of_app

from .domain import DEVICE_DAYS, TokenPurpose
from .domain import User as Account
from .open_sessions import device_label
from .service import AccountService, AuthService, SecondFactorService
from .settings import Settings

DEVICE_NAME_DIGITS: Final = 16


class _Attributes(TypedDict):
    path: str
    secure: bool
    httponly: bool
    samesite: Literal["lax", "strict"]


class RateLimits:
    """Limits in this replica's memory, checked before any database call.

    A low limit per account and address slows down guessing one account's password. A higher limit per address slows
    down trying one password on many accounts. The database counts the wrong passwords of one account from all
    addresses and over all replicas (`GuessLimit`).
    """

    def __init__(self, settings: Settings) -> None:
        self._sign_in = CallerLimits(
            "sign-in", account=settings.rate_limit_signin, address=settings.rate_limit_signin_address
        )
        self._mails = CallerLimits(
            "mails", account=settings.rate_limit_mails, address=settings.rate_limit_mails_address
        )
        self._sign_up = RateLimiter(settings.rate_limit_signup, name="sign-up")

    async def check_sign_in(self, request: Request, *, email: str) -> None:
        """Count a sign-in attempt. Raises `TooManyRequestsError`."""
        await self._sign_in.check(request, await address(request), email)

    async def check_mail(self, request: Request, purpose: TokenPurpose, *, email: str) -> None:
        """Count a mail with a link to this e-mail, which need not have an account. Raises `TooManyRequestsError`.

        Each purpose has its own count: any stranger may ask for resets, which must not keep the owner from confirming
        the e-mail, nor must the owner's confirmations keep the owner from a reset.
        """
        await self._mails.check(request, purpose.value, email)

    async def check_token(self, request: Request) -> None:
        """Count a use of a one-time token, as a sign-in from this address. Raises `TooManyRequestsError`."""
        await self._sign_in.check_address(request)

    async def check_sign_up(self, request: Request) -> None:
        """Count a sign-up attempt. Raises `TooManyRequestsError`."""
        await self._sign_up.check(request, await address(request))


class SessionCookie:
    """The cookie of a browser's session. Scripts cannot read it, and other sites' POST requests do not send it."""

    def __init__(self, request: Request, response: Response) -> None:
        self._settings: Settings = request.app.state.settings
        self._response = response
        self._attributes = _Attributes(path="/", secure=self._settings.cookie_secure, httponly=True, samesite="lax")
        self._cookies: Mapping[str, str] = request.state.cookies
        self.brought: bool = request.state.session_cookie
        """Whether the request came with a session cookie as its credentials, valid or not."""
        self.holder: User | None = request.state.user if self.brought else None
        """The user of the cookie's session, if it is valid."""

    def set(self, token: str) -> None:
        """Set the cookie for the token's lifetime, and delete a session cookie of a former name."""
        name, *others = self._settings.session_cookies
        self._response.set_cookie(name, token, max_age=self._settings.session_minutes * 60, **self._attributes)
        for other in others:
            if other in self._cookies:
                self._response.delete_cookie(other, **self._attributes)

    def sign_out(self) -> None:
        """The person leaves this browser: delete the cookie, and the data that pages have stored in the browser.

        Browsers follow the header over HTTPS and on localhost (W3C, Clear Site Data).
        """
        self._response.headers["Clear-Site-Data"] = '"storage"'
        self.delete()

    def delete(self) -> None:
        """Delete the cookie under every name.

        The session has expired, or was ended elsewhere: the stored data stays, since admissions that a device at an
        entrance has not sent yet would be lost. The pages delete the rest of it.
        """
        preferred, *others = self._settings.session_cookies
        for name in (preferred, *(other for other in others if other in self._cookies)):
            self._response.delete_cookie(name, **self._attributes)


class DeviceCookies:
    """The cookies of known devices: one for each account that has signed in from this browser.

    Scripts cannot read them, other sites' pages do not send them, and over HTTPS no other host of the domain can set
    them.
    """

    MOST: Final = 5
    FORMER_PREFIX: Final = "__Secure-device-"
    """Until 29 November 2026, with Path=/api/users; read until `DEVICE_DAYS` later, and replaced at a sign-in."""

    def __init__(self, request: Request, response: Response) -> None:
        settings: Settings = request.app.state.settings
        self._brought: Mapping[str, str] = request.state.cookies
        self._response = response
        self._seconds = DEVICE_DAYS * 24 * 3600
        self._prefix = ("__Host-" if settings.cookie_secure else "") + "device-"
        self._attributes = _Attributes(path="/", secure=settings.cookie_secure, httponly=True, samesite="strict")

    def get(self, account_name: str) -> str | None:
        """The token that this browser has for the account."""
        return first_cookie(self._brought, (self._name(account_name), self._former_name(account_name)))

    def set(self, account_name: str, token: str) -> None:
        """Set the token's cookie, and delete cookies of other accounts over `MOST`, so that the header stays short."""
        name = self._name(account_name)
        self._response.set_cookie(name, token, max_age=self._seconds, **self._attributes)
        if (former := self._former_name(account_name)) in self._brought:
            former_attributes = self._attributes.copy()
            former_attributes["path"] = "/api/users"
            self._response.delete_cookie(former, **former_attributes)
        others = [other for other in self._brought if other.startswith(self._prefix) and other != name]
        for surplus in others[self.MOST - 1 :]:
            self._response.delete_cookie(surplus, **self._attributes)

    def delete(self, account_name: str) -> None:
        """Delete the account's cookie: its account was deleted."""
        self._response.delete_cookie(self._name(account_name), **self._attributes)

    def _name(self, account_name: str) -> str:
        return self._prefix + account_name[:DEVICE_NAME_DIGITS]

    def _former_name(self, account_name: str) -> str:
        return self.FORMER_PREFIX + account_name[:DEVICE_NAME_DIGITS]


@dataclass(frozen=True, slots=True)
class PasswordPrompt:
    """A change that asks for the account's password or for a code. Each try counts as a sign-in from this browser."""

    user: Account
    account_name: str
    device_token: str | None
    request: Request
    limits: RateLimits
    accounts: AccountService

    async def count_try(self) -> None:
        """Count a try. Raises `TooManyRequestsError`."""
        await self.limits.check_sign_in(self.request, email=self.user.email)

    async def check(self, password: SecretStr, *, field: str = "password") -> Account:
        """Count a try, and check the password, which was given in the request's field `field`. Returns the account.

        Raises `TooManyRequestsError`, and what `AccountService.check_password` raises.
        """
        await self.count_try()
        return await self.accounts.check_password(self.user, password, field=field, device_token=self.device_token)


AccountServiceDep: TypeAlias = Annotated[AccountService, part_of_app("accounts")]
AuthServiceDep: TypeAlias = Annotated[AuthService, part_of_app("service")]
RateLimitsDep: TypeAlias = Annotated[RateLimits, part_of_app("rate_limits")]
SecondFactorDep: TypeAlias = Annotated[SecondFactorService, part_of_app("second_factors")]
SettingsDep: TypeAlias = Annotated[Settings, part_of_app("settings")]


async def session_cookie(request: Request, response: Response) -> SessionCookie:
    """The session cookie of this request and its response."""
    return SessionCookie(request, response)


async def device_cookies(request: Request, response: Response) -> DeviceCookies:
    """The device cookies of this request and its response."""
    return DeviceCookies(request, response)


async def not_stored(response: Response) -> None:
    """Forbid caching: a response is about one user's session at one time (RFC 6749 §5.1 requires it for tokens)."""
    response.headers["Cache-Control"] = "no-store"


async def device(request: Request) -> str | None:
    """The label of the browser that sends this request."""
    return device_label(request.headers.get("user-agent", ""))


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """Opens the session of the browser that sends this request."""

    service: AuthService
    cookie: SessionCookie
    device: str | None

    async def begin(self, account: Account) -> None:
        """Give the browser a session. One browser has one session: the former ends."""
        if self.cookie.holder is not None:
            await self.service.sign_out(self.cookie.holder)
        self.cookie.set(await self.service.open_session(account, device=self.device))

    async def reopen(self, account: Account) -> None:
        """Give the browser a new session, after a change that has ended all sessions of the account. A program that
        sent its token in a header gets none.
        """
        if self.cookie.brought:
            self.cookie.set(await self.service.open_session(account, device=self.device))


async def browser_session(
    service: AuthServiceDep,
    cookie: Annotated[SessionCookie, Depends(session_cookie)],
    device: Annotated[str | None, Depends(device)],
) -> BrowserSession:
    """The session of this request's browser. Not the class itself: FastAPI would call it in a thread."""
    return BrowserSession(service, cookie, device)


async def account(caller: CurrentUser, service: AuthServiceDep) -> Account:
    """The caller's account, as it is now; raises `UnauthenticatedError`, also if the session was ended."""
    return await service.get_account(caller)


async def password_prompt(
    user: Annotated[Account, Depends(account)],
    request: Request,
    service: AuthServiceDep,
    accounts: AccountServiceDep,
    limits: RateLimitsDep,
    devices: Annotated[DeviceCookies, Depends(device_cookies)],
) -> PasswordPrompt:
    """The guard of a change of the caller's account; the endpoint counts the try, after the body was validated."""
    name = service.account_name(user.email)
    return PasswordPrompt(user, name, devices.get(name), request, limits, accounts)


AccountDep: TypeAlias = Annotated[Account, Depends(account)]
DeviceLabelDep: TypeAlias = Annotated[str | None, Depends(device)]
SessionCookieDep: TypeAlias = Annotated[SessionCookie, Depends(session_cookie)]
DeviceCookiesDep: TypeAlias = Annotated[DeviceCookies, Depends(device_cookies)]
BrowserSessionDep: TypeAlias = Annotated[BrowserSession, Depends(browser_session)]
PasswordPromptDep: TypeAlias = Annotated[PasswordPrompt, Depends(password_prompt)]
