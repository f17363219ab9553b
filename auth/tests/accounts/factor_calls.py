"""Calls of an account with a second factor, and the app that makes its codes."""

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from pyotp import TOTP

from ticketing_auth.mail import MailKind
from ticketing_auth.service import code_check, second_factor
from ticketing_common.entity import utc_now

from ..conftest import EMAIL, PASSWORD, RunningAuth
from .account_calls import Post

REQUIRED = "tag:ticketing.dev,2026:second-factor-required"
STEP = timedelta(seconds=30)


class Clock:
    """The time by which auth judges codes: noon. It stands still, so no test depends on the machine's speed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = utc_now().replace(hour=12, minute=0, second=10)
        for module in (code_check, second_factor):
            monkeypatch.setattr(module, "utc_now", lambda: self.now)

    def forward(self, by: timedelta = STEP) -> None:
        """Let time pass: one code is valid for 30 seconds."""
        self.now += by


class App:
    """An authenticator app with one secret, by the clock of the test."""

    def __init__(self, clock: Clock, secret: str) -> None:
        self._clock = clock
        self._totp = TOTP(secret)

    def code(self, *, at: datetime | None = None) -> str:
        """The code that the app shows."""
        return self._totp.at(at or self._clock.now)

    def next_code(self) -> str:
        """The code after the present one; time passes until the app shows it."""
        self._clock.forward()
        return self.code()

    def wrong_code(self) -> str:
        """A code that is valid at no step near the present one."""
        near = {self.code(at=self._clock.now + offset * STEP) for offset in range(-3, 4)}
        return next(code for code in (f"{number:06}" for number in range(10)) if code not in near)


async def call(auth: RunningAuth, method: str, path: str = "", **request: Any) -> httpx.Response:
    """A call of the signed-in browser below `/api/users/second-factor`."""
    return await auth.call(method, f"second-factor{path}", **request)


async def begin(auth: RunningAuth, password: str = PASSWORD, **request: Any) -> httpx.Response:
    return await call(auth, "POST", json={"password": password}, **request)


async def confirm(auth: RunningAuth, code: str) -> httpx.Response:
    return await call(auth, "POST", "/confirm", json={"code": code})


async def turn_off(auth: RunningAuth, code: str, password: str = PASSWORD, **request: Any) -> httpx.Response:
    return await call(auth, "DELETE", json={"password": password, "code": code}, **request)


async def renew_codes(auth: RunningAuth, code: str, password: str = PASSWORD) -> httpx.Response:
    return await call(auth, "POST", "/recovery-codes", json={"password": password, "code": code})


async def enrol(auth: RunningAuth, clock: Clock) -> tuple[App, list[str]]:
    """Turn the factor of the signed-in account on. Returns its app, and the recovery codes."""
    app = App(clock, (await begin(auth)).json()["secret"])
    answer = await confirm(auth, app.code())
    assert answer.status_code == 200, answer.text
    codes: list[str] = answer.json()["recoveryCodes"]
    return app, codes


async def sign_in(
    auth: RunningAuth, code: str | None = None, password: str = PASSWORD, **request: Any
) -> httpx.Response:
    """Sign in as a browser that has no cookies of this account; without a code if it is None."""
    auth.browser.cookies.clear()
    body = {"email": EMAIL, "password": password, **({} if code is None else {"code": code})}
    return await auth.post("signin", json=body, **request)


async def told(post: Post) -> list[str]:
    """What the mails tell the owner, in their order; mails that are dropped tell nothing."""
    return [values["change"] for values in await post.values(MailKind.SECOND_FACTOR) if values]
