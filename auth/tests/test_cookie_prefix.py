"""The session cookie behind HTTPS: its name has the prefix `__Host-`, and the name without it is still read."""

import time
from collections.abc import AsyncIterator

import httpx
import pytest

from ticketing_common.entity import new_id
from ticketing_testkit.apps import Identity

from .conftest import EMAIL, MakeSettings, RunAuth, RunningAuth

EVE = "eve@example.com"
PREFIXED = "__Host-session"


@pytest.fixture
async def auth(run_auth: RunAuth) -> AsyncIterator[RunningAuth]:
    """The service behind HTTPS. The cookie jar keeps no Secure cookie over HTTP, so tests send cookies themselves."""
    async with run_auth(cookie_secure=True) as running:
        yield running


async def token_of(auth: RunningAuth, email: str) -> str:
    answer = await auth.sign_up(email)
    auth.browser.cookies.clear()
    return auth.given_cookie(answer, PREFIXED).value


async def who(auth: RunningAuth, cookies: str) -> str | None:
    answer = await auth.browser.get("/api/users/currentuser", headers={"Cookie": cookies})
    user = answer.json()["currentUser"]
    return str(user["email"]) if user else None


def taken_away(auth: RunningAuth, answer: httpx.Response) -> set[str]:
    names = ("session", PREFIXED)
    return {name for name in names if (cookie := auth.session_cookie(answer, name)) and cookie["max-age"] == "0"}


async def test_a_session_planted_by_another_host_does_not_replace_the_visitors(auth: RunningAuth) -> None:
    """Another host of the domain can set `session`, in any place of the header, and cannot set `__Host-session`."""
    mine, planted = await token_of(auth, EMAIL), await token_of(auth, EVE)
    for cookies in (f"session={planted}; {PREFIXED}={mine}", f"{PREFIXED}={mine}; session={planted}"):
        assert await who(auth, cookies) == EMAIL


async def test_a_planted_session_does_not_take_over_when_the_visitors_is_not_valid(auth: RunningAuth) -> None:
    planted = await token_of(auth, EVE)
    assert await who(auth, f"{PREFIXED}=expired; session={planted}") is None


async def test_a_session_from_before_the_prefix_stays_valid_and_is_renewed_under_the_new_name(
    auth: RunningAuth, identity: Identity
) -> None:
    now = int(time.time())
    user_id = (await auth.sign_up(EMAIL)).json()["id"]
    auth.browser.cookies.clear()
    old = identity.token(user_id, EMAIL, sid=new_id(), iat=now - 900, auth_time=now - 900, exp=now + 900)
    answer = await auth.browser.get("/api/users/currentuser", headers={"Cookie": f"session={old}"})
    assert answer.json()["currentUser"]["email"] == EMAIL
    assert auth.given_cookie(answer, PREFIXED)["max-age"] == "1800"
    assert taken_away(auth, answer) == {"session"}


@pytest.mark.parametrize("name", ["session", PREFIXED])
async def test_a_foreign_page_cannot_write_with_the_cookie_of_either_name(auth: RunningAuth, name: str) -> None:
    headers = {"Cookie": f"{name}={await token_of(auth, EMAIL)}", "Origin": "https://evil.example"}
    assert (await auth.browser.post("/api/users/signout", headers=headers)).status_code == 403


async def test_signing_out_deletes_the_cookies_of_both_names(auth: RunningAuth) -> None:
    mine, other = await token_of(auth, EMAIL), await token_of(auth, EVE)
    answer = await auth.post("signout", headers={"Cookie": f"session={other}; {PREFIXED}={mine}"})
    assert taken_away(auth, answer) == {"session", PREFIXED}
    assert await who(auth, f"{PREFIXED}={mine}") is None


async def test_a_copy_of_a_session_ends_when_its_browser_signs_in_again(auth: RunningAuth) -> None:
    copy = await token_of(auth, EMAIL)
    await auth.post("signin", headers={"Cookie": f"{PREFIXED}={copy}"}, json={"email": EMAIL, "password": "wrong one"})
    assert await who(auth, f"{PREFIXED}={copy}") == EMAIL

    answer = await auth.post(
        "signin", headers={"Cookie": f"{PREFIXED}={copy}"}, json={"email": EMAIL, "password": "correct horse battery"}
    )
    assert await who(auth, f"{PREFIXED}={copy}") is None
    assert await who(auth, f"{PREFIXED}={auth.given_cookie(answer, PREFIXED).value}") == EMAIL


async def test_while_old_replicas_run_the_cookie_may_keep_its_former_name(run_auth: RunAuth) -> None:
    async with run_auth(cookie_secure=True, cookie_host_prefix=False) as auth:
        answer = await auth.sign_up()
        assert auth.given_cookie(answer)["secure"] is True
        assert auth.session_cookie(answer, PREFIXED) is None
        token = auth.given_cookie(answer).value
        auth.browser.cookies.clear()
        assert [await who(auth, f"{name}={token}") for name in ("session", PREFIXED)] == [EMAIL, EMAIL]


@pytest.mark.parametrize("name", ["__Host-session", "a b", "a;b", "a=b", ""])
async def test_a_name_that_is_no_plain_cookie_name_keeps_the_service_from_starting(
    settings: MakeSettings, name: str
) -> None:
    with pytest.raises(ValueError, match="cookie_name"):
        settings(cookie_name=name)
