"""Fixtures: the auth service over a real database, called by a browser or by programs."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from http.cookies import Morsel, SimpleCookie
from typing import Any, TypeAlias

import httpx
import pytest
from fastapi import FastAPI

from ticketing_auth.app import create_app
from ticketing_auth.domain import GuessRules
from ticketing_auth.guesses import GuessLimit
from ticketing_auth.open_sessions import OpenSessions
from ticketing_auth.passwords import PasswordHasher
from ticketing_auth.repository import RevokedSessions, UserRepository
from ticketing_auth.settings import Settings
from ticketing_common.storage import Database, Outbox
from ticketing_testkit.apps import Bus, Identity, run_app, service_settings_for
from ticketing_testkit.servers import NatsServer, running

EMAIL = "ann@example.com"
PASSWORD = "correct horse battery"
NEW_PASSWORD = "staple battery horse"
SIGNED_OUT = {"currentUser": None}

MakeSettings: TypeAlias = Callable[..., Settings]
RunAuth: TypeAlias = Callable[..., AbstractAsyncContextManager["RunningAuth"]]


class RunningAuth:
    """The running service, and a browser that talks to it."""

    def __init__(self, app: FastAPI, browser: httpx.AsyncClient) -> None:
        self.app = app
        self.browser = browser
        self.users: UserRepository = UserRepository(app.state.runtime.outbox("users"))
        self.revoked = RevokedSessions(app.state.runtime.collection("revoked_sessions"))

    async def call(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Call as a page of the service's own origin."""
        headers = {"Origin": "http://testserver", **request.pop("headers", {})}
        return await self.browser.request(method, f"/api/users/{path}", headers=headers, **request)

    async def post(self, path: str, **request: Any) -> httpx.Response:
        return await self.call("POST", path, **request)

    async def sign_up(self, email: str = EMAIL, password: str = PASSWORD) -> httpx.Response:
        return await self.post("signup", json={"email": email, "password": password})

    async def sign_in(self, email: str = EMAIL, password: str = PASSWORD) -> httpx.Response:
        return await self.post("signin", json={"email": email, "password": password})

    async def token(self, username: str = EMAIL, password: str = PASSWORD, **form: str) -> httpx.Response:
        """Ask for a token as a program does, without cookies."""
        form = {"grant_type": "password", "username": username, "password": password, **form}
        return await self.post("token", data=form)

    async def current_user(self, *, bearer: str | None = None, cookie: str | None = None) -> httpx.Response:
        """Call as the browser, or with the given token."""
        if cookie is not None:
            self.browser.cookies.clear()
            return await self.browser.get("/api/users/currentuser", headers={"Cookie": f"session={cookie}"})
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        return await self.browser.get("/api/users/currentuser", headers=headers)

    async def change_password(
        self, current: str = PASSWORD, password: str = NEW_PASSWORD, **request: Any
    ) -> httpx.Response:
        body = {"currentPassword": current, "password": password}
        return await self.call("PUT", "password", json=body, **request)

    async def leave(self, password: str = PASSWORD, **request: Any) -> httpx.Response:
        """Delete the account."""
        return await self.call("DELETE", "me", json={"password": password}, **request)

    @staticmethod
    def session_cookie(answer: httpx.Response, name: str = "session") -> Morsel[str] | None:
        """The session cookie that a response sets, with its attributes; empty if it deletes the cookie."""
        cookies: SimpleCookie = SimpleCookie()
        for header in answer.headers.get_list("set-cookie"):
            cookies.load(header)
        return cookies.get(name)

    @classmethod
    def given_cookie(cls, answer: httpx.Response, name: str = "session") -> Morsel[str]:
        """As `session_cookie`, of a response that must set it."""
        cookie = cls.session_cookie(answer, name)
        assert cookie is not None
        return cookie


@pytest.fixture(scope="session")
def nats_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One NATS server for all tests of auth: to start one takes longer than most of them."""
    with running(NatsServer(tmp_path_factory.mktemp("nats"))) as server:
        yield server.url


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    """The event bus with the streams of this test, which are deleted afterwards with their consumers."""
    async with Bus.connect(nats_url) as connected:
        yield connected
        for stream in await connected.js.streams_info():
            assert stream.config.name is not None
            await connected.js.delete_stream(stream.config.name)


@pytest.fixture
def settings(mongo_url: str, database_name: str, nats_url: str, bus: Bus, identity: Identity) -> MakeSettings:
    """The service's settings; a test may change some.

    The bus has the streams of the other services (`bus` declares them). No Redis answers: only mail needs its timers.
    """

    def make(**changes: object) -> Settings:
        common = service_settings_for(mongo_url=mongo_url, database=database_name, nats_url=nats_url, identity=identity)
        own = {"jwt_key": identity.private_key_pem, "redis_url": "redis://127.0.0.1:9/0"}
        return Settings.model_validate({**common, **own, **changes})

    return make


@pytest.fixture
def run_auth(settings: MakeSettings) -> RunAuth:
    """Runs the service with changed settings."""

    @asynccontextmanager
    async def run(**changes: object) -> AsyncIterator[RunningAuth]:
        app = create_app(settings(**changes))
        async with run_app(app) as browser:
            yield RunningAuth(app, browser)

    return run


@pytest.fixture
async def auth(run_auth: RunAuth) -> AsyncIterator[RunningAuth]:
    """The running service with default settings."""
    async with run_auth() as running:
        yield running


@pytest.fixture
async def users(database: Database) -> UserRepository:
    repository = UserRepository(Outbox(database["users"]))
    await repository.ensure_indexes()
    return repository


@pytest.fixture
async def revoked(database: Database) -> RevokedSessions:
    sessions = RevokedSessions(database["revoked_sessions"])
    await sessions.ensure_indexes()
    return sessions


@pytest.fixture
async def open_sessions(database: Database) -> OpenSessions:
    sessions = OpenSessions(database["open_sessions"])
    await sessions.ensure_indexes()
    return sessions


@pytest.fixture
async def guesses(database: Database) -> GuessLimit:
    counts = GuessLimit(database["password_guesses"], GuessRules.of(100, timedelta(hours=1)))
    await counts.ensure_indexes()
    return counts


@pytest.fixture
async def passwords() -> AsyncIterator[PasswordHasher]:
    hasher = PasswordHasher(threads=1, queue=8)
    yield hasher
    hasher.close()
