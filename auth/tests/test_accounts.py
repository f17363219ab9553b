"""What an owner does with an account: confirm the e-mail, set the password, end sessions, export, delete."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from ticketing_auth.domain import TokenPurpose
from ticketing_auth.mail import Mail, MailKind
from ticketing_auth.repository import OneTimeTokens
from ticketing_auth.service import account_mails
from ticketing_common.entity import new_id, utc_now

from .conftest import PASSWORD, RunAuth, RunningAuth

EMAIL = "ann@example.com"
NEW_PASSWORD = "staple battery horse"
SIGNED_OUT = {"currentUser": None}


@pytest.fixture
async def auth(run_auth: RunAuth) -> AsyncIterator[RunningAuth]:
    """The running service. One address makes all requests of a test, so its limits are off."""
    async with run_auth(rate_limit_signin="off", rate_limit_mails="off") as running:
        yield running


class Post:
    """What the mail worker does with requested mails, up to the rendering."""

    def __init__(self, auth: RunningAuth) -> None:
        self._auth = auth
        self.mails = auth.app.state.mails.collection
        self.tokens = OneTimeTokens(auth.app.state.runtime.collection("one_time_tokens"))

    async def values(self, kind: MailKind) -> list[Any]:
        """The values of every requested mail of a kind; None for a mail that is dropped."""
        found = []
        async for document in self.mails.find({"kind": kind.value}).sort("requested_at", 1):
            mail = Mail(
                id=document["_id"],
                kind=kind,
                user_id=document["user_id"],
                values=document["values"],
                attempts=0,
                requested_at=document["requested_at"],
            )
            user = await self._auth.users.find(mail.user_id)
            found.append(await account_mails(self.tokens)[kind](mail, user) if user else None)
        return found

    async def token(self, kind: MailKind) -> str:
        """The token in the newest mail of a kind."""
        token: str = (await self.values(kind))[-1]["token"]
        return token


@pytest.fixture
def post(auth: RunningAuth) -> Post:
    return Post(auth)


async def who(auth: RunningAuth, token: str) -> Any:
    return (await auth.current_user(bearer=token)).json()["currentUser"]


async def api_token(auth: RunningAuth, password: str = PASSWORD) -> str:
    token: str = (await auth.token(password=password)).json()["access_token"]
    return token


async def change(auth: RunningAuth, current: str = PASSWORD, password: str = NEW_PASSWORD, **request: Any) -> Any:
    headers = {"Origin": "http://testserver", **request.pop("headers", {})}
    body = {"currentPassword": current, "password": password}
    return await auth.browser.put("/api/users/password", headers=headers, json=body, **request)


async def leave(auth: RunningAuth, password: str = PASSWORD) -> Any:
    return await auth.browser.request(
        "DELETE", "/api/users/me", headers={"Origin": "http://testserver"}, json={"password": password}
    )


async def test_the_link_of_the_mail_confirms_the_email_and_the_next_currentuser_renews_the_cookie(
    auth: RunningAuth, post: Post
) -> None:
    await auth.sign_up()
    assert (await auth.post("verification")).status_code == 202

    answer = await auth.post("verification/confirm", json={"token": await post.token(MailKind.VERIFY)})

    assert (answer.status_code, answer.json()) == (200, {})
    current = await auth.current_user()
    assert current.json()["currentUser"]["emailVerified"] is True
    assert auth.session_cookie(current) is not None
    assert auth.session_cookie(await auth.current_user()) is None, "the new cookie has the claim already"
    assert set(await post.values(MailKind.VERIFY)) == {None}, "mails that are still in the queue are dropped"


async def test_sign_up_asks_for_the_confirmation_mail(auth: RunningAuth, post: Post) -> None:
    await auth.sign_up()
    assert len(await post.values(MailKind.VERIFY)) == 1


async def test_a_token_is_not_stored_and_works_once(auth: RunningAuth, post: Post) -> None:
    await auth.sign_up()
    await auth.post("password-reset", json={"email": EMAIL})
    verify, reset = await post.token(MailKind.VERIFY), await post.token(MailKind.RESET)
    stored = [document async for document in auth.app.state.runtime.collection("one_time_tokens").find()]
    assert len(stored) == 2
    assert verify not in str(stored)
    assert reset not in str(stored)

    confirmations = [await auth.post("verification/confirm", json={"token": verify}) for _ in range(2)]
    new = {"token": reset, "password": NEW_PASSWORD}
    resets = await asyncio.gather(*(auth.post("password-reset/confirm", json=new) for _ in range(4)))

    assert [answer.status_code for answer in confirmations] == [200, 422]
    assert sorted(answer.status_code for answer in resets) == [200, 422, 422, 422]
    assert confirmations[1].json()["errors"][0]["field"] == "token"


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "x" * 129, "\ud800", "$ne"])
async def test_an_unknown_token_is_refused(auth: RunningAuth, token: str) -> None:
    for path, more in (("verification/confirm", {}), ("password-reset/confirm", {"password": NEW_PASSWORD})):
        body = json.dumps({"token": token, **more})
        answer = await auth.post(path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "token"


async def test_a_token_of_one_purpose_is_unknown_to_the_other(auth: RunningAuth, post: Post) -> None:
    await auth.sign_up()
    token = await post.token(MailKind.VERIFY)
    answer = await auth.post("password-reset/confirm", json={"token": token, "password": NEW_PASSWORD})
    assert answer.status_code == 422
    assert (await auth.post("verification/confirm", json={"token": token})).status_code == 200


async def test_a_token_is_valid_for_30_minutes(auth: RunningAuth, post: Post) -> None:
    await auth.sign_up()
    token = await post.token(MailKind.VERIFY)
    stored = auth.app.state.runtime.collection("one_time_tokens")
    (document,) = [one async for one in stored.find()]
    assert timedelta(minutes=29) < document["expires_at"] - utc_now() <= timedelta(minutes=30)

    await stored.update_many({}, {"$set": {"expires_at": utc_now()}})

    assert (await auth.post("verification/confirm", json={"token": token})).status_code == 422


async def test_a_new_password_voids_the_tokens_of_the_former_one(auth: RunningAuth, post: Post) -> None:
    await auth.sign_up()
    user = await auth.users.find_by_email(EMAIL)
    assert user is not None
    verify = await post.tokens.mint(TokenPurpose.VERIFY_EMAIL, user)
    reset = await post.tokens.mint(TokenPurpose.RESET_PASSWORD, user)
    await auth.post("password-reset", json={"email": EMAIL})
    assert (await change(auth)).status_code == 200
    assert await post.values(MailKind.RESET) == [None], "a mail that waits for the mail server is dropped"
    # A token that a mail worker stores at the same time, after the change has removed the others.
    late = await post.tokens.mint(TokenPurpose.RESET_PASSWORD, user)

    assert (await auth.post("verification/confirm", json={"token": verify})).status_code == 422
    for token in (reset, late):
        answer = await auth.post("password-reset/confirm", json={"token": token, "password": PASSWORD + "!"})
        assert answer.status_code == 422


async def test_a_reset_sets_the_password_confirms_the_email_and_ends_all_sessions(
    auth: RunningAuth, post: Post
) -> None:
    await auth.sign_up()
    token = await api_token(auth)
    assert (await auth.post("password-reset", json={"email": f" {EMAIL.upper()} "})).status_code == 202
    reset = await post.token(MailKind.RESET)

    common = await auth.post("password-reset/confirm", json={"token": reset, "password": "password123"})
    assert common.status_code == 422
    assert common.json()["errors"][0]["field"] == "password"
    answer = await auth.post("password-reset/confirm", json={"token": reset, "password": NEW_PASSWORD})

    assert (answer.status_code, answer.json()) == (200, {})
    assert (await auth.current_user()).json() == SIGNED_OUT
    assert await who(auth, token) is None
    assert (await auth.sign_in()).status_code == 401
    assert (await auth.sign_in(password=NEW_PASSWORD)).status_code == 200
    assert (await auth.current_user()).json()["currentUser"]["emailVerified"] is True
    assert await post.values(MailKind.PASSWORD_CHANGED) == [{}]


async def test_a_reset_of_an_unknown_email_has_the_same_answer_and_stores_the_same(
    auth: RunningAuth, post: Post
) -> None:
    await auth.sign_up()
    known = await auth.post("password-reset", json={"email": EMAIL})
    unknown = await auth.post("password-reset", json={"email": "bob@example.com"})

    assert (known.status_code, known.content) == (unknown.status_code, unknown.content) == (202, b"{}")
    stored = [document async for document in post.mails.find({"kind": "reset"})]
    assert len(stored) == 2
    assert stored[0].keys() == stored[1].keys()
    assert "example.com" not in str(stored)
    assert [value is None for value in await post.values(MailKind.RESET)] == [False, True]


async def test_mails_with_a_link_are_limited_per_email_with_or_without_an_account(run_auth: RunAuth) -> None:
    async with run_auth(rate_limit_mails="2/hour") as auth:
        await auth.sign_up()
        for email in (EMAIL, "bob@example.com"):
            statuses = [(await auth.post("password-reset", json={"email": email})).status_code for _ in range(3)]
            assert statuses == [202, 202, 429]
        statuses = [(await auth.post("verification")).status_code for _ in range(3)]
        assert statuses == [202, 202, 429], "resets, which any stranger may ask for, do not count"


async def test_a_change_of_password_ends_all_sessions_but_the_one_that_made_it(auth: RunningAuth) -> None:
    await auth.sign_up()
    former = auth.browser.cookies["session"]
    token = await api_token(auth)

    answer = await change(auth)

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
    answers = await asyncio.gather(*(change(auth, password=f"{NEW_PASSWORD} {number}") for number in range(3)))

    winners = [number for number, answer in enumerate(answers) if answer.status_code == 200]
    assert len(winners) == 1
    assert {answers[number].status_code for number in {0, 1, 2} - set(winners)} <= {401, 403}
    assert (await auth.sign_in(password=f"{NEW_PASSWORD} {winners[0]}")).status_code == 200


async def test_a_wrong_present_password_is_a_403_and_counts_like_a_wrong_sign_in(run_auth: RunAuth) -> None:
    async with run_auth(rate_limit_signin="off", rate_limit_guesses="10/hour") as auth:
        await auth.sign_up()
        wrong = await change(auth, current="wrong password")
        assert wrong.status_code == 403
        assert wrong.json()["errors"][0]["field"] == "currentPassword"
        assert (await leave(auth, "wrong password")).status_code == 429, "a known device has one guess of these ten"
        assert (await auth.current_user()).json()["currentUser"]["email"] == EMAIL
        assert len((await auth.browser.get("/api/users/me/export")).json()["wrongPasswords"]) == 1


async def test_a_new_password_follows_the_rules_of_sign_up(auth: RunningAuth) -> None:
    await auth.sign_up()
    for password in ("short", "password123", EMAIL, "x" * 129):
        answer = await change(auth, password=password)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "password"
    assert (await auth.sign_in()).status_code == 200


async def test_a_program_changes_the_password_by_its_token_and_gets_no_cookie(auth: RunningAuth) -> None:
    await auth.sign_up()
    token = await api_token(auth)
    auth.browser.cookies.clear()
    answer = await change(auth, headers={"Authorization": f"Bearer {token}"})
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

    answer = await leave(auth)

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
        assert (await leave(auth)).status_code == 204
        assert (await leave(auth)).status_code == 401
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
