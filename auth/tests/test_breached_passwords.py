"""The range API of leaked passwords: what it gets, what it answers, and what happens without an answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha1

import pytest
from aiohttp import web
from pydantic import SecretStr

from ticketing_auth.errors import PasswordBreachedError
from ticketing_auth.mail import MailKind
from ticketing_auth.passwords import BreachedPasswords, breached
from ticketing_common.telemetry.metrics import BREACHED_PASSWORD_CHECKS

from .accounts.account_calls import Post
from .conftest import EMAIL, RunAuth

LEAKED, FINE = "correct zebra battery", "correct giraffe battery"
PADDING = "\r\n".join(f"{number:035X}:0" for number in range(900))


def digest(password: str) -> str:
    return sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


class RangeApi:
    """Plays the API on a socket: knows one leaked password, and can fail in every way."""

    def __init__(self) -> None:
        self.asked: list[web.Request] = []
        self.body = f"{PADDING}\r\n{digest(LEAKED)[5:]}:42\r\n{'F' * 35}:7"
        self.status = 200
        self.hangs: asyncio.Event | None = None
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        if self.hangs is not None:
            await self.hangs.wait()
        return web.Response(text=self.body, status=self.status)


@asynccontextmanager
async def serving(api: RangeApi) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_get("/range/{prefix}", api.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    api.url = "http://{}:{}/range/".format(*runner.addresses[0])
    try:
        yield
    finally:
        if api.hangs is not None:
            api.hangs.set()
        await runner.cleanup()


@pytest.fixture
async def api() -> AsyncIterator[RangeApi]:
    made = RangeApi()
    async with serving(made):
        yield made


@pytest.fixture
async def check(api: RangeApi, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BreachedPasswords]:
    monkeypatch.setattr(breached, "TIMEOUT_SECONDS", 60)  # a busy machine is not a slow API
    made = BreachedPasswords.at(api.url)
    yield made
    await made.close()


def counted(outcome: str) -> float:
    value: float = BREACHED_PASSWORD_CHECKS.labels(outcome)._value.get()
    return value


async def test_a_leaked_password_is_refused_and_only_five_digits_leave_the_process(
    api: RangeApi, check: BreachedPasswords
) -> None:
    with pytest.raises(PasswordBreachedError) as refused:
        await check.check_new(SecretStr(LEAKED))
    assert [error.field for error in refused.value.errors] == ["password"]
    await check.check_new(SecretStr(FINE))
    assert [request.path for request in api.asked] == [f"/range/{digest(one)[:5]}" for one in (LEAKED, FINE)]
    for request, password in zip(api.asked, (LEAKED, FINE), strict=True):
        assert request.headers["Add-Padding"] == "true"
        sent = f"{request.raw_path} {request.headers}"
        assert password not in sent
        assert digest(password)[5:] not in sent.upper()


async def test_padding_is_no_leaked_password(api: RangeApi, check: BreachedPasswords) -> None:
    api.body = f"{digest(LEAKED)[5:]}:0\r\n{PADDING}"
    await check.check_new(SecretStr(LEAKED))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (503, None),
        (404, None),
        (302, None),
        (200, "<html>Just a moment…</html>"),
        (200, f"{'F' * 35}:many"),
        (200, f"{'F' * 34}:1"),
        (200, "é" * 10),
        (200, (PADDING + "\r\n") * 20),
    ],
    ids=["unavailable", "unknown", "moved", "a page", "no number", "short", "not ASCII", "huge"],
)
async def test_an_answer_that_is_none_accepts_the_password_and_pauses(
    api: RangeApi,
    check: BreachedPasswords,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    status: int,
    body: str | None,
) -> None:
    monkeypatch.setattr(breached, "PAUSE_SECONDS", 3_600)
    api.status, api.body = status, f"{digest(LEAKED)[5:]}:42" if body is None else body
    failed, skipped = counted("failed"), counted("skipped")
    for _ in range(3):
        await check.check_new(SecretStr(LEAKED))
    assert len(api.asked) == 1, "sign-ups do not wait for an API that is known to be down"
    assert (counted("failed") - failed, counted("skipped") - skipped) == (1, 2)
    logged = capsys.readouterr().out + caplog.text
    assert LEAKED not in logged
    assert digest(LEAKED)[:5] not in logged


async def test_a_slow_api_is_given_up_and_asked_again_later(
    api: RangeApi, check: BreachedPasswords, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breached, "TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(breached, "PAUSE_SECONDS", 0)
    api.hangs = asyncio.Event()
    failed = counted("failed")
    await check.check_new(SecretStr(LEAKED))
    assert counted("failed") - failed == 1
    monkeypatch.setattr(breached, "TIMEOUT_SECONDS", 60)
    api.hangs.set()
    with pytest.raises(PasswordBreachedError):
        await check.check_new(SecretStr(LEAKED))


async def test_nothing_listens_there(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = RangeApi()
    async with serving(gone):
        check = BreachedPasswords.at(gone.url)
    await check.check_new(SecretStr(LEAKED))
    await check.close()


async def test_sign_up_change_and_reset_check_it_and_a_sign_in_does_not(
    api: RangeApi, run_auth: RunAuth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breached, "TIMEOUT_SECONDS", 60)
    async with run_auth(pwned_passwords_url=api.url) as auth:
        refused = await auth.sign_up(password=LEAKED)
        assert refused.status_code == 422
        assert [error["field"] for error in refused.json()["errors"]] == ["password"]
        assert (await auth.sign_up(password=FINE)).status_code == 201
        asked = len(api.asked)
        assert (await auth.sign_in(password=FINE)).status_code == 200
        assert len(api.asked) == asked
        await auth.post("password-reset", json={"email": EMAIL})
        token = await Post(auth).token(MailKind.RESET)
        for answer in (
            await auth.change_password(FINE, LEAKED),
            await auth.post("password-reset/confirm", json={"token": token, "password": LEAKED}),
        ):
            assert answer.status_code == 422
            assert [error["field"] for error in answer.json()["errors"]] == ["password"]
