"""The links of mails: they confirm the e-mail or set a new password, once."""

import asyncio
import json
from datetime import timedelta

import pytest

from ticketing_auth.domain import TokenPurpose
from ticketing_auth.mail import MailKind
from ticketing_common.entity import utc_now

from ..conftest import EMAIL, NEW_PASSWORD, PASSWORD, SIGNED_OUT, RunAuth, RunningAuth
from .account_calls import Post, api_token, who


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


async def test_a_token_is_not_stored_and_changes_something_once(auth: RunningAuth, post: Post) -> None:
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

    assert [answer.status_code for answer in confirmations] == [200, 200], "the second reader sees: confirmed"
    assert sorted(answer.status_code for answer in resets) == [200, 422, 422, 422]
    answer = await auth.post("verification/confirm", json={"token": verify})
    assert answer.status_code == 422, "a new password voids it, confirmed or not"
    assert answer.json()["errors"][0]["field"] == "token"


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
    assert (await auth.change_password()).status_code == 200
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
