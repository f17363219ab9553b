"""Renewal and end of sessions."""

import time
from collections.abc import Callable
from typing import Any, TypeAlias

import jwt
import pytest

from ticketing_auth.domain import User
from ticketing_common.entity import new_id
from ticketing_testkit.apps import Identity

from .conftest import EMAIL, SIGNED_OUT, RunAuth, RunningAuth

MINUTE = 60
DAY = 86_400

MakeToken: TypeAlias = Callable[..., str]


@pytest.fixture
async def session_token(auth: RunningAuth, identity: Identity) -> MakeToken:
    """Makes a session's token: issued `issued_ago` seconds ago, in a session that began `signed_in_ago` seconds ago."""
    user = User(email=EMAIL, password_hash="")
    await auth.users.add(user)

    def make(*, issued_ago: int = 0, signed_in_ago: int | None = None, **claims: Any) -> str:
        now = int(time.time())
        made = {
            "iat": now - issued_ago,
            "exp": now - issued_ago + 30 * MINUTE,
            "auth_time": now - (issued_ago if signed_in_ago is None else signed_in_ago),
            "sid": new_id(),
        }
        return identity.token(user.id, EMAIL, **{**made, **claims})

    return make


def claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


async def test_without_a_token_the_current_user_is_null(auth: RunningAuth) -> None:
    answer = await auth.current_user()
    assert answer.status_code == 200
    assert answer.json() == SIGNED_OUT
    assert auth.session_cookie(answer) is None


async def test_a_young_session_keeps_its_cookie(auth: RunningAuth, session_token: MakeToken) -> None:
    answer = await auth.current_user(cookie=session_token(issued_ago=9 * MINUTE))
    assert answer.json()["currentUser"]["email"] == EMAIL
    assert auth.session_cookie(answer) is None


async def test_currentuser_renews_a_session(auth: RunningAuth, session_token: MakeToken, identity: Identity) -> None:
    old = session_token(issued_ago=11 * MINUTE, signed_in_ago=6 * DAY)

    answer = await auth.current_user(cookie=old)

    cookie = auth.given_cookie(answer)
    assert cookie["max-age"] == "1800"
    assert cookie["httponly"] is True
    before, after = claims(old), claims(cookie.value)
    assert after["exp"] > before["exp"]
    assert after["jti"] != before["jti"]
    assert [after[name] for name in ("sub", "email", "auth_time", "sid")] == [
        before[name] for name in ("sub", "email", "auth_time", "sid")
    ]
    again = await auth.current_user(cookie=cookie.value)
    assert again.json() == answer.json()
    assert auth.session_cookie(again) is None


async def test_seven_days_after_the_password_was_given_no_session_is_renewed(
    auth: RunningAuth, session_token: MakeToken
) -> None:
    answer = await auth.current_user(cookie=session_token(issued_ago=29 * MINUTE, signed_in_ago=7 * DAY))
    assert answer.json()["currentUser"]["email"] == EMAIL
    assert auth.session_cookie(answer) is None


async def test_a_token_for_programs_is_never_renewed_nor_turned_into_a_cookie(
    auth: RunningAuth, session_token: MakeToken
) -> None:
    by_header = await auth.current_user(bearer=session_token(issued_ago=20 * MINUTE))
    assert by_header.json()["currentUser"]["email"] == EMAIL
    assert auth.session_cookie(by_header) is None

    in_a_cookie = await auth.current_user(cookie=session_token(issued_ago=20 * MINUTE, sid=None))
    assert in_a_cookie.json()["currentUser"]["email"] == EMAIL
    assert auth.session_cookie(in_a_cookie) is None


@pytest.mark.parametrize(
    "token",
    [
        lambda make: make(issued_ago=31 * MINUTE),
        lambda make: make(aud="another service"),
        lambda make: make(iss="https://evil.example"),
        lambda make: make(auth_time=None),
        lambda _make: Identity().token(email=EMAIL, sid=new_id()),
        lambda make: make()[:-4] + "AAAA",
        lambda make: "eyJhbGciOiJub25lIn0." + make().split(".")[1] + ".",
        lambda _make: "nonsense",
    ],
    ids=["expired", "audience", "issuer", "claim missing", "other key", "broken", "alg none", "nonsense"],
)
async def test_an_invalid_token_gives_null_and_deletes_the_cookie(
    auth: RunningAuth, session_token: MakeToken, token: Callable[[MakeToken], str]
) -> None:
    made = token(session_token)

    answer = await auth.current_user(cookie=made)

    assert answer.status_code == 200
    assert answer.json() == SIGNED_OUT
    cookie = auth.given_cookie(answer)
    assert cookie.value == ""
    assert cookie["max-age"] == "0"
    assert (await auth.current_user(bearer=made)).json() == SIGNED_OUT


async def test_signing_out_deletes_the_cookie(auth: RunningAuth) -> None:
    await auth.sign_up()

    answer = await auth.post("signout")

    assert answer.status_code == 200
    assert answer.json() == {}
    cookie = auth.given_cookie(answer)
    assert (cookie.value, cookie["max-age"], cookie["path"]) == ("", "0", "/")
    assert (await auth.current_user()).json() == SIGNED_OUT


async def test_signing_out_clears_what_the_browser_stored(auth: RunningAuth) -> None:
    await auth.sign_up()
    assert "clear-site-data" not in (await auth.current_user()).headers
    assert (await auth.post("signout")).headers["clear-site-data"] == '"storage"'


async def test_a_session_that_ended_without_a_sign_out_here_clears_the_cookie_only(
    auth: RunningAuth, session_token: MakeToken
) -> None:
    """A device at an entrance has admissions that are not sent yet, and was offline for half an hour."""
    ended = session_token(sid=new_id())
    await auth.post("signout", headers={"Authorization": f"Bearer {ended}"})
    for cookie in ("expired", ended):
        answer = await auth.current_user(cookie=cookie)
        assert answer.json() == SIGNED_OUT
        assert auth.given_cookie(answer).value == ""
        assert "clear-site-data" not in answer.headers


async def test_a_copied_cookie_is_neither_accepted_here_nor_renewed_after_sign_out(
    auth: RunningAuth, session_token: MakeToken
) -> None:
    session = new_id()
    old, renewed = (session_token(sid=session, issued_ago=minutes * MINUTE) for minutes in (29, 15))
    assert (await auth.current_user(cookie=old)).json() != SIGNED_OUT

    auth.browser.cookies.set("session", renewed)
    await auth.post("signout")

    for copy in (old, renewed, session_token(sid=session)):
        answer = await auth.current_user(cookie=copy)
        assert answer.json() == SIGNED_OUT
        assert auth.given_cookie(answer).value == ""
        assert (await auth.current_user(bearer=copy)).json() == SIGNED_OUT
    assert (await auth.current_user(cookie=session_token())).json() != SIGNED_OUT


async def test_signing_out_here_leaves_other_devices_signed_in_and_lets_one_sign_in_again_at_once(
    auth: RunningAuth,
) -> None:
    await auth.sign_up()
    other_device = auth.given_cookie(await auth.sign_in()).value
    api_token = (await auth.token()).json()["access_token"]
    auth.browser.cookies.clear()
    await auth.sign_in()
    await auth.post("signout")

    assert (await auth.sign_in()).status_code == 200
    assert (await auth.current_user()).json()["currentUser"]["email"] == EMAIL
    assert (await auth.current_user(bearer=api_token)).json()["currentUser"]["email"] == EMAIL
    assert (await auth.current_user(cookie=other_device)).json()["currentUser"]["email"] == EMAIL


async def test_signing_out_twice_or_without_a_session_is_no_error(auth: RunningAuth) -> None:
    await auth.sign_up()
    assert [(await auth.post("signout")).status_code for _ in range(3)] == [200, 200, 200]
    auth.browser.cookies.set("session", "nonsense")
    answer = await auth.post("signout")
    assert answer.status_code == 200
    assert auth.given_cookie(answer).value == ""


async def test_a_programs_sign_out_ends_its_token_only(auth: RunningAuth) -> None:
    await auth.sign_up()
    token = (await auth.token()).json()["access_token"]

    answer = await auth.post("signout", headers={"Authorization": f"Bearer {token}"})

    assert auth.session_cookie(answer) is None
    assert (await auth.current_user(bearer=token)).json() == SIGNED_OUT
    assert (await auth.current_user()).json()["currentUser"]["email"] == EMAIL


async def test_a_sign_out_is_remembered_until_no_token_of_the_session_can_be_valid(auth: RunningAuth) -> None:
    began = time.time()
    await auth.sign_up()
    await auth.post("signout")
    remembered = await auth.revoked.collection.find_one({})
    assert remembered is not None
    assert remembered["forgotten_at"].timestamp() >= int(began) + 7 * DAY + 30 * MINUTE


async def test_another_sites_page_cannot_sign_its_visitor_out_or_in_again(auth: RunningAuth) -> None:
    await auth.sign_up()
    for path in ("signout", "signin", "signup"):
        answer = await auth.post(path, headers={"Origin": "https://evil.example"})
        assert answer.status_code == 403
    assert (await auth.current_user()).json()["currentUser"]["email"] == EMAIL


async def test_the_cookie_may_have_another_name(run_auth: RunAuth) -> None:
    async with run_auth(cookie_name="evening") as auth:
        answer = await auth.sign_up()
        assert {name for name in answer.cookies if not name.startswith("device-")} == {"evening"}
        assert (await auth.current_user()).json()["currentUser"]["email"] == EMAIL
