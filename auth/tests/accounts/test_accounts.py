"""What an owner does with an account: confirm the e-mail, set the password, end sessions, export, delete."""

import asyncio
from typing import Any

import pytest

from ticketing_auth.mail import MailKind
from ticketing_common.entity import new_id, utc_now

from ..conftest import EMAIL, NEW_PASSWORD, PASSWORD, RunAuth, RunningAuth
from .account_calls import Post, api_token, who


async def test_a_change_of_password_ends_all_sessions_but_the_one_that_made_it(auth: RunningAuth) -> None:
    await auth.sign_up()
    former = auth.browser.cookies["session"]
    token = await api_token(auth)

    answer = await auth.change_password()

    assert answer.status_code == 200
    cookie = auth.session_cookie(answer)
    assert cookie is not None
    assert await who(auth, cookie.value) == answer.json()
    assert await who(auth, former) is None
    assert await who(auth, token) is None
    assert (await auth.sign_in()).status_code == 401
    assert (await auth.sign_in(password=NEW_PASSWORD)).status_code == 200


async def test_two_changes_at_once_leave_one_password_and_one_session(auth: RunningAuth) -> None:
    await auth.sign_up()
    answers = await asyncio.gather(*(auth.change_password(password=f"{NEW_PASSWORD} {number}") for number in range(3)))

    winners = [number for number, answer in enumerate(answers) if answer.status_code == 200]
    assert len(winners) == 1
    assert {answers[number].status_code for number in {0, 1, 2} - set(winners)} <= {401, 403}
    assert (await auth.sign_in(password=f"{NEW_PASSWORD} {winners[0]}")).status_code == 200


async def test_a_wrong_present_password_is_a_403_and_counts_like_a_wrong_sign_in(run_auth: RunAuth) -> None:
    async with run_auth(rate_limit_signin="off", rate_limit_guesses="10/hour") as auth:
        await auth.sign_up()
        wrong = await auth.change_password(current="wrong password")
        assert wrong.status_code == 403
        assert wrong.json()["errors"][0]["field"] == "currentPassword"
        assert (await auth.leave("wrong password")).status_code == 429, "a known device has one guess of these ten"
        assert (await auth.current_user()).json()["currentUser"]["email"] == EMAIL
        assert len((await auth.browser.get("/api/users/me/export")).json()["wrongPasswords"]) == 1


async def test_a_new_password_follows_the_rules_of_sign_up(auth: RunningAuth) -> None:
    await auth.sign_up()
    for password in ("short", "password123", EMAIL, "x" * 129):
        answer = await auth.change_password(password=password)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "password"
    assert (await auth.sign_in()).status_code == 200


async def test_a_program_changes_the_password_by_its_token_and_gets_no_cookie(auth: RunningAuth) -> None:
    await auth.sign_up()
    token = await api_token(auth)
    auth.browser.cookies.clear()
    answer = await auth.change_password(headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    assert auth.session_cookie(answer) is None
    assert await who(auth, token) is None


async def test_signing_out_everywhere_ends_every_session_and_every_token(auth: RunningAuth) -> None:
    await auth.sign_up()
    first, token = auth.browser.cookies["session"], await api_token(auth)
    auth.browser.cookies.clear()
    await auth.sign_in()

    answer = await auth.post("signout-everywhere")

    assert (answer.status_code, answer.json()) == (200, {})
    cookie = auth.session_cookie(answer)
    assert cookie is not None
    assert cookie.value == ""
    assert [await who(auth, one) for one in (first, token)] == [None, None]
    await auth.sign_in()
    assert (await auth.current_user()).json()["currentUser"]["email"] == EMAIL, "in the same second"


async def test_a_token_from_before_accounts_had_an_epoch_is_compared_by_its_time(
    auth: RunningAuth, identity: Any
) -> None:
    user_id = (await auth.sign_up()).json()["id"]
    await auth.post("signout-everywhere")
    now = int(utc_now().timestamp())
    assert await who(auth, identity.token(user_id, EMAIL, auth_time=now - 60)) is None
    assert (await who(auth, identity.token(user_id, EMAIL, auth_time=now + 1)))["id"] == user_id


async def test_the_export_has_what_auth_holds_and_no_secret(auth: RunningAuth, post: Post) -> None:
    made = (await auth.sign_up()).json()
    await post.token(MailKind.VERIFY)

    answer = await auth.browser.get("/api/users/me/export")

    assert answer.status_code == 200
    export = answer.json()
    assert export["account"] == {
        **made,
        "emailVerified": False,
        "createdAt": export["account"]["createdAt"],
        "updatedAt": export["account"]["updatedAt"],
        "sessionsEndedAt": None,
    }
    assert [link["purpose"] for link in export["openLinks"]] == ["verify_email"]
    assert [mail["kind"] for mail in export["mails"]] == ["verify"]
    assert "argon2" not in answer.text
    calls = {one["call"] for one in export["elsewhere"]}
    assert calls == {"GET /api/tickets/mine", "GET /api/orders", "GET /api/payments/{id}"}


async def test_a_deleted_account_leaves_no_address_and_is_unknown(auth: RunningAuth, post: Post) -> None:
    made = (await auth.sign_up()).json()
    token = await api_token(auth)
    await auth.post("password-reset", json={"email": EMAIL})
    reset = await post.token(MailKind.RESET)

    answer = await auth.leave()

    assert answer.status_code == 204
    cookies = {header.partition("=")[0]: header for header in answer.headers.get_list("set-cookie")}
    assert all("Max-Age=0" in header for header in cookies.values())
    assert len(cookies) == 2
    assert await who(auth, token) is None
    new = {"token": reset, "password": NEW_PASSWORD}
    assert (await auth.post("password-reset/confirm", json=new)).status_code == 422
    database = auth.app.state.runtime.database
    for name in await database.list_collection_names():
        assert EMAIL not in str([document async for document in database[name].find()]), name
    unknown = await auth.sign_in("bob@example.com")
    assert (await auth.sign_in()).content == unknown.content
    tombstone = await auth.token(username=f"deleted:{made['id']}", password=PASSWORD)
    assert tombstone.status_code == 401


async def test_the_address_of_a_deleted_account_may_sign_up_again_as_a_new_account(auth: RunningAuth) -> None:
    ids = set()
    for _ in range(3):
        ids.add((await auth.sign_up()).json()["id"])
        assert (await auth.leave()).status_code == 204
        assert (await auth.leave()).status_code == 401
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "verification"),
        ("PUT", "password"),
        ("POST", "signout-everywhere"),
        ("GET", "me/export"),
        ("DELETE", "me"),
    ],
)
async def test_an_owner_must_be_signed_in(auth: RunningAuth, identity: Any, method: str, path: str) -> None:
    bodies = {"PUT": {"currentPassword": PASSWORD, "password": NEW_PASSWORD}, "DELETE": {"password": PASSWORD}}
    tokens: tuple[str | None, ...] = (None, identity.token(new_id(), EMAIL))
    for token in tokens:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = await auth.browser.request(method, f"/api/users/{path}", headers=headers, json=bodies.get(method))
        assert answer.status_code == 401
        assert "WWW-Authenticate" in answer.headers
