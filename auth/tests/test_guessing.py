"""Guessing one account's password: from many addresses, over several replicas, in parallel, with a stolen cookie."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from ticketing_auth.app import create_app
from ticketing_auth.derived_keys import DeviceTokens
from ticketing_auth.errors import PasswordQueueFullError, TooManyGuessesError
from ticketing_auth.passwords import PasswordHasher
from ticketing_testkit.apps import Identity, run_app
from ticketing_testkit.servers import Mongod

from .conftest import EMAIL, PASSWORD, MakeSettings

TEN_AN_HOUR: dict[str, Any] = {"rate_limit_guesses": "10/hour", "rate_limit_signin": "off"}
"""Eight guesses for strangers and two for known devices, of which each has one."""

Replica: TypeAlias = Callable[..., AbstractAsyncContextManager[FastAPI]]


class Browser:
    """A browser with its own cookie jar and network address."""

    def __init__(self, app: FastAPI, address: str) -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 50_000))
        self.http = httpx.AsyncClient(
            transport=transport, base_url="http://testserver", headers={"Origin": "http://testserver"}, timeout=240
        )

    async def sign_up(self, email: str = EMAIL) -> httpx.Response:
        return await self.http.post("/api/users/signup", json={"email": email, "password": PASSWORD})

    async def sign_in(self, password: str = PASSWORD, email: str = EMAIL) -> httpx.Response:
        return await self.http.post("/api/users/signin", json={"email": email, "password": password})

    async def token(self, password: str = PASSWORD) -> httpx.Response:
        return await self.http.post("/api/users/token", data={"username": EMAIL, "password": password})

    def device_cookies(self) -> dict[str, str]:
        return {name: value for name, value in self.http.cookies.items() if "device-" in name}


@pytest.fixture
def replica(settings: MakeSettings) -> Replica:
    """Run one replica on this test's database; its app is what browsers talk to."""

    @asynccontextmanager
    async def run(**changes: Any) -> AsyncIterator[FastAPI]:
        # Hundreds of passwords are hashed concurrently; these tests are not about their time.
        app = create_app(settings(**{"request_seconds": 240.0, **changes}))
        async with run_app(app):
            yield app

    return run


async def test_of_200_guesses_from_40_addresses_at_two_replicas_at_most_100_are_checked(replica: Replica) -> None:
    async with replica(password_queue=300) as one, replica(password_queue=300) as other:
        owner = Browser(one, "192.0.2.1")
        await owner.sign_up()
        strangers = [Browser(app, f"198.51.100.{number}") for number in range(20) for app in (one, other)]

        answers = await asyncio.gather(
            *(
                (stranger.sign_in if number % 2 else stranger.token)(f"guess number {number}")
                for number in range(5)
                for stranger in strangers
            )
        )

        assert len(answers) == 200
        assert Counter(answer.status_code for answer in answers) == {401: 80, 429: 120}
        waits = [int(answer.headers["Retry-After"]) for answer in answers if answer.status_code == 429]
        assert all(3_400 < wait <= 3_600 for wait in waits)
        assert (await Browser(other, "203.0.113.7").sign_in()).status_code == 429, "a new browser, the owner's or not"
        assert (await owner.sign_in()).status_code == 200, "the owner's browser is known"

    async with replica() as restarted:
        assert (await Browser(restarted, "203.0.113.8").sign_in("one more guess")).status_code == 429


async def test_strangers_and_known_devices_together_have_100_guesses_and_no_more(replica: Replica) -> None:
    limits = {"rate_limit_signin": "off", "rate_limit_signup": "off", "password_queue": 300}
    async with replica(**limits) as one, replica(**limits) as other:
        owners = [Browser(one, "192.0.2.1") for _ in range(4)]
        await owners[0].sign_up()
        for owner in owners[1:]:
            assert (await owner.sign_in()).status_code == 200
        thieves = []
        for owner in owners:  # each device cookie is stolen, and used at both replicas
            for app in (one, other):
                thief = Browser(app, "198.51.100.1")
                thief.http.cookies.update(owner.device_cookies())
                thieves.append(thief)
        stranger = Browser(other, "198.51.100.2")

        answers = await asyncio.gather(
            *(thief.sign_in(f"stolen guess {number}") for thief in thieves for number in range(15)),
            *(stranger.sign_in(f"strange guess {number}") for number in range(120)),
        )

        assert Counter(answer.status_code for answer in answers)[401] == 100


async def test_a_stolen_device_cookie_has_few_guesses_and_leaves_the_other_devices_theirs(replica: Replica) -> None:
    async with replica(rate_limit_guesses="20/hour", rate_limit_signin="off") as app:
        laptop, phone, thief = (Browser(app, f"192.0.2.{number}") for number in range(3))
        await laptop.sign_up()
        await phone.sign_in()
        thief.http.cookies.update(laptop.device_cookies())

        answers = [(await thief.sign_in(f"guess number {number}")).status_code for number in range(4)]

        assert answers == [401, 401, 429, 429]
        assert (await laptop.sign_in()).status_code == 429
        assert (await phone.sign_in()).status_code == 200


async def test_right_passwords_use_nothing_up(replica: Replica) -> None:
    async with replica(**TEN_AN_HOUR) as app:
        await Browser(app, "192.0.2.1").sign_up()
        answers = [await Browser(app, "192.0.2.2").sign_in() for _ in range(12)]
        assert {answer.status_code for answer in answers} == {200}
        counted = await app.state.runtime.collection("password_guesses").find_one({})
        assert counted["guesses"] == []


async def test_a_device_cookie_is_out_of_reach_for_scripts_other_sites_and_other_hosts(replica: Replica) -> None:
    async with replica(cookie_secure=True) as app:
        answer = await Browser(app, "192.0.2.1").sign_up()
        (cookie,) = (one for one in answer.headers.get_list("set-cookie") if "device-" in one)
        attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert cookie.startswith("__Host-device-")
        assert attributes == {"httponly", "secure", "samesite=strict", "path=/", f"max-age={180 * 86_400}"}
        assert EMAIL.partition("@")[0] not in cookie


async def test_a_forged_or_foreign_or_old_device_cookie_makes_no_known_device(
    replica: Replica, identity: Identity
) -> None:
    async with replica(**TEN_AN_HOUR) as app:
        owner, stranger = Browser(app, "192.0.2.1"), Browser(app, "198.51.100.1")
        made = (await owner.sign_up()).json()
        await stranger.sign_up("eve@example.com")
        (name,) = owner.device_cookies()
        (foreign,) = stranger.device_cookies().values()
        service = app.state.service
        user = await service.check_password("eve@example.com", SecretStr(PASSWORD))
        for number in range(8):
            assert (await Browser(app, "198.51.100.2").sign_in(f"guess number {number}")).status_code == 401

        expired = DeviceTokens(identity.private_key_pem, lifetime=timedelta(seconds=-1)).sign(made["id"], None)
        other_key = DeviceTokens("another key", lifetime=timedelta(days=1)).sign(made["id"], None)

        for forged in (foreign, foreign[:-2], expired, other_key, "x", "", "é", await service.open_session(user)):
            thief = Browser(app, "198.51.100.3")
            thief.http.headers = httpx.Headers(
                [(b"Origin", b"http://testserver"), (b"Cookie", f"{name}={forged}".encode())]
            )
            assert (await thief.sign_in()).status_code == 429
        assert (await owner.sign_in()).status_code == 200


async def test_a_device_cookie_of_an_earlier_release_is_read_and_replaced(replica: Replica) -> None:
    async with replica(**TEN_AN_HOUR, cookie_secure=True) as app:
        answer = await Browser(app, "192.0.2.1").sign_up()
        (cookie,) = (one for one in answer.headers.get_list("set-cookie") if "device-" in one)
        former = cookie.partition(";")[0].replace("__Host-", "__Secure-")
        for number in range(8):
            assert (await Browser(app, "198.51.100.2").sign_in(f"guess number {number}")).status_code == 401
        assert (await Browser(app, "198.51.100.2").sign_in()).status_code == 429

        owner = Browser(app, "192.0.2.1")
        owner.http.headers["Cookie"] = former
        answer = await owner.sign_in()
        assert answer.status_code == 200
        (name, _, _) = former.partition("=")
        (removed,) = (one for one in answer.headers.get_list("set-cookie") if one.startswith(name))
        assert "Max-Age=0" in removed
        assert "Path=/api/users" in removed


async def test_a_browser_keeps_the_device_cookies_of_five_accounts(replica: Replica) -> None:
    async with replica() as app:
        browser = Browser(app, "192.0.2.1")
        for number in range(8):
            assert (await browser.sign_up(f"user{number}@example.com")).status_code == 201
        assert len(browser.device_cookies()) == 5
        assert (await browser.sign_in(email="user7@example.com")).status_code == 200


async def test_an_email_without_an_account_is_answered_and_counted_alike_and_not_stored(replica: Replica) -> None:
    async with replica(**TEN_AN_HOUR) as app:
        await Browser(app, "192.0.2.1").sign_up()
        stranger = Browser(app, "198.51.100.1")
        answers = [
            [await stranger.sign_in(f"guess number {number}", email) for number in range(9)]
            for email in (EMAIL, "nobody@example.com")
        ]
        for known, unknown in zip(*answers, strict=True):
            assert known.status_code == unknown.status_code
            assert known.content == unknown.content or known.status_code == 429
        assert [answer.status_code for answer in answers[1]] == [401] * 8 + [429]
        documents = await app.state.runtime.collection("password_guesses").find({}).to_list(None)
        assert len(documents) == 2
        assert "example.com" not in str(documents)
        indexes = await app.state.runtime.collection("password_guesses").index_information()
        assert indexes["expiry"]["expireAfterSeconds"] == 0


async def test_a_guess_that_was_not_checked_is_not_counted(replica: Replica) -> None:
    async with replica(**TEN_AN_HOUR, password_threads=1, password_queue=0) as app:
        browser = Browser(app, "192.0.2.1")
        await browser.sign_up()
        service = app.state.service
        hashing: PasswordHasher = service._passwords
        busy = asyncio.ensure_future(hashing.verify(SecretStr(PASSWORD), None))
        await asyncio.sleep(0)  # lets it enter the queue
        with pytest.raises(PasswordQueueFullError):
            await service.check_password(EMAIL, SecretStr("wrong password"))
        await busy
        counted = await app.state.runtime.collection("password_guesses").find_one({})
        assert counted["guesses"] == []


async def test_the_count_can_be_switched_off(replica: Replica) -> None:
    async with replica(rate_limit_guesses="off", rate_limit_signin="off") as app:
        browser = Browser(app, "192.0.2.1")
        await browser.sign_up()
        assert {(await browser.sign_in("wrong password")).status_code for _ in range(12)} == {401}
        assert await app.state.runtime.collection("password_guesses").count_documents({}) == 0


async def test_every_check_of_a_password_shares_one_count(replica: Replica) -> None:
    async with replica(**TEN_AN_HOUR) as app:
        await Browser(app, "192.0.2.1").sign_up()
        for number in range(8):
            await Browser(app, "198.51.100.1").sign_in(f"guess number {number}")
        with pytest.raises(TooManyGuessesError) as refused:
            await app.state.service.check_password(EMAIL, SecretStr(PASSWORD))
        assert 3_400 < refused.value.retry_after_seconds <= 3_600


async def test_without_its_database_no_password_is_checked(settings: MakeSettings, tmp_path: Path) -> None:
    mongod = Mongod(tmp_path)
    mongod.start()
    try:
        app = create_app(settings(mongo_url=mongod.url))
        async with run_app(app):
            browser = Browser(app, "192.0.2.1")
            await browser.sign_up()
            mongod.stop()
            for answer in (await browser.sign_in(), await browser.sign_in("wrong password"), await browser.token()):
                assert answer.status_code == 503
                assert "Retry-After" in answer.headers
            mongod.start()
            assert (await browser.sign_in()).status_code == 200
    finally:
        mongod.stop()
