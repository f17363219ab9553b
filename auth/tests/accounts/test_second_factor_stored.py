"""The second factor in the database: resets, deletion, crashes, keys, and replicas of the release before."""

from dataclasses import dataclass
from typing import Any

import pytest

from ticketing_auth.enrolment import SecretVault
from ticketing_auth.errors import AccountDeletedError
from ticketing_common.entity import Entity
from ticketing_common.storage import Repository
from ticketing_testkit.apps import Identity

from ..conftest import RunningAuth
from .account_calls import Post, who
from .factor_calls import REQUIRED, App, Clock, begin, call, confirm, enrol, sign_in, told


async def test_an_operator_resets_a_lost_factor_and_a_deleted_account_keeps_none(
    auth: RunningAuth, post: Post, clock: Clock
) -> None:
    user_id = (await auth.sign_up()).json()["id"]
    factors = auth.app.state.second_factors
    assert "no second factor" in await factors.reset(user_id)
    await enrol(auth, clock)
    session = auth.browser.cookies["session"]
    assert user_id in await factors.reset(user_id)
    assert await who(auth, session) is None
    assert (await sign_in(auth)).status_code == 200
    assert await told(post) == ["on", "reset"]

    app, _ = await enrol(auth, clock)
    assert (await begin(auth)).status_code == 409
    assert (await auth.leave()).status_code == 204
    (stored,) = await auth.users.collection.find({"_id": user_id}).to_list(None)
    assert (stored["second_factor"], stored["pending_factor"]) == (None, None)
    assert (await sign_in(auth, app.next_code())).json().get("type") != REQUIRED
    for command in (factors.reset, auth.app.state.accounts.end_sessions_of):
        with pytest.raises(AccountDeletedError, match=f"{user_id} is deleted"):
            await command(user_id)


async def test_a_crash_at_any_write_leaves_the_factor_as_it_was_or_complete(
    auth: RunningAuth, post: Post, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies runs no cleanup: a mail stays announced, and a code stays counted."""
    await auth.sign_up()
    codes_check = auth.app.state.second_factors._codes
    app = App(clock, (await begin(auth)).json()["secret"])

    async def die(*_: Any, **__: Any) -> None:
        raise RuntimeError("the process dies here")

    def forget_cleanup(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(codes_check._mails, "withdraw", die)
        patch.setattr(codes_check._limit, "release", die)

    with monkeypatch.context() as patch:
        forget_cleanup(patch)
        patch.setattr(auth.app.state.accounts._users, "save", die)
        assert (await confirm(auth, app.code())).status_code == 500
    assert (await call(auth, "GET")).json()["state"] == "off"
    assert await told(post) == [], "the announced mail is dropped"
    with monkeypatch.context() as patch:
        forget_cleanup(patch)
        assert (await confirm(auth, app.code())).status_code == 500, "it dies after the write"
    assert (await sign_in(auth)).json()["type"] == REQUIRED
    assert set(await told(post)) == {"on"}, "the mail of the first attempt, if it still waits, says the same"
    counted = await auth.app.state.runtime.collection("code_guesses").find({}).to_list(None)
    assert [len(one["guesses"]) for one in counted] == [2]
    assert (await sign_in(auth, app.next_code())).status_code == 200


async def test_a_new_key_replaces_the_former_at_the_next_code_and_without_any_no_code_is_accepted(
    auth: RunningAuth, identity: Identity, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    former, new = identity.second_factor_key, Identity().second_factor_key

    def restart_with(*keys: str) -> None:
        monkeypatch.setattr(auth.app.state.second_factors._codes, "_vault", SecretVault(keys))

    await auth.sign_up()
    app, codes = await enrol(auth, clock)
    restart_with(new)
    answer = await sign_in(auth, app.next_code())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert (await sign_in(auth, codes[0])).status_code == 200, "recovery codes need no key"
    assert await auth.app.state.runtime.collection("code_guesses").count_documents({"guesses": {"$ne": []}}) == 0
    restart_with(new, former)
    assert (await sign_in(auth, app.code())).status_code == 200
    restart_with(new)
    assert (await sign_in(auth, app.next_code())).status_code == 200


@dataclass(kw_only=True)
class FormerUser(Entity):
    """An account as a replica of the release before reads and writes it."""

    email: str
    password_hash: str
    email_verified: bool = False
    session_epoch: int = 0


async def test_a_replica_of_the_release_before_reads_the_account_and_keeps_its_factor(
    auth: RunningAuth, clock: Clock
) -> None:
    user_id = (await auth.sign_up()).json()["id"]
    app, _ = await enrol(auth, clock)
    former = Repository(auth.users.outbox, FormerUser)
    account = await former.get(user_id)
    account.email_verified = True
    await former.save(account)
    assert (await sign_in(auth)).json()["type"] == REQUIRED
    assert (await sign_in(auth, app.next_code())).status_code == 200
    await auth.users.collection.update_one(
        {}, {"$unset": {"second_factor": 1, "pending_factor": 1, "second_factor_changes": 1}}
    )
    assert (await sign_in(auth)).status_code == 200, "an account from before second factors"
