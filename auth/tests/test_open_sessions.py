"""The list of open sessions, and the end of one of them at every service."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from ticketing_auth.open_sessions import OpenSessions, device_label
from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import UserSessionEnded
from ticketing_common.security import User
from ticketing_common.telemetry import configure_logging
from ticketing_testkit.apps import Bus, Identity
from ticketing_testkit.crashes import KilledError
from ticketing_testkit.servers import free_port

from .conftest import EMAIL, PASSWORD, SIGNED_OUT, RunAuth, RunningAuth

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Version/18.6 Safari/604.1"


async def sign_in(auth: RunningAuth, email: str = EMAIL, *, user_agent: str = FIREFOX) -> str:
    """The token of a new session in another browser."""
    auth.browser.cookies.clear()
    answer = await auth.post("signin", json={"email": email, "password": PASSWORD}, headers={"User-Agent": user_agent})
    token = auth.given_cookie(answer).value
    auth.browser.cookies.clear()
    return token


async def listed(auth: RunningAuth, token: str) -> list[dict[str, Any]]:
    answer = await auth.browser.get("/api/users/sessions", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()
    return found


async def end(auth: RunningAuth, token: str, session_id: str, password: str = PASSWORD) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return await auth.call("DELETE", f"sessions/{session_id}", headers=headers, json={"password": password})


async def is_open(auth: RunningAuth, token: str) -> bool:
    return bool((await auth.current_user(bearer=token)).json() != SIGNED_OUT)


@pytest.mark.unit
@pytest.mark.parametrize(
    ("user_agent", "label"),
    [
        (FIREFOX, "Firefox on Linux"),
        (SAFARI, "Safari on iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/142.0 Safari/537.36 Edg/142.0", "Edge on Windows"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/142.0 Mobile Safari/537.36", "Chrome on Android"),
        ("node", None),
        ("", None),
        ("<script>alert(1)</script>", None),
        ("x" * 60_000 + "Firefox/1", None),
    ],
)
def test_a_device_has_a_label_of_fixed_words(user_agent: str, label: str | None) -> None:
    assert device_label(user_agent) == label


async def test_the_owner_sees_each_open_session_and_which_one_asks(run_auth: RunAuth) -> None:
    async with run_auth(rate_limit_signin="off") as auth:
        await auth.sign_up()
        await auth.post("signout")
        laptop = await sign_in(auth)
        phone = await sign_in(auth, user_agent=SAFARI)
        await auth.token()

        sessions = await listed(auth, laptop)

        assert [(one["device"], one["current"]) for one in sessions] == [
            ("Safari on iPhone", False),
            ("Firefox on Linux", True),
        ], "an API token and the session that was signed out are not in the list"
        assert set(sessions[0]) == {"id", "device", "createdAt", "renewedAt", "expiresAt", "current"}
        headers = {"Authorization": f"Bearer {phone}"}
        export = (await auth.browser.get("/api/users/me/export", headers=headers)).json()
        assert [one["device"] for one in export["openSessions"]] == ["Safari on iPhone", "Firefox on Linux"]

        assert (await auth.leave(headers=headers)).status_code == 204
        assert await auth.app.state.runtime.collection("open_sessions").count_documents({}) == 0


async def test_an_ended_session_is_refused_at_once_and_published_and_the_others_continue(
    run_auth: RunAuth, bus: Bus, capsys: pytest.CaptureFixture[str]
) -> None:
    async with run_auth(rate_limit_signin="off") as auth:
        configure_logging(service="auth", level="info")
        user_id = (await auth.sign_up()).json()["id"]
        laptop, phone = await sign_in(auth), await sign_in(auth, user_agent=SAFARI)
        (target,) = [one for one in await listed(auth, laptop) if one["device"] == "Safari on iPhone"]

        assert (await end(auth, laptop, target["id"])).status_code == 204

        assert not await is_open(auth, phone)
        assert await is_open(auth, laptop)
        assert target["id"] not in {one["id"] for one in await listed(auth, laptop)}
        assert (await end(auth, laptop, target["id"])).status_code == 404
        event = await bus.expect(UserSessionEnded, lambda event: event.subject == user_id)
        assert event.data.session_id == target["id"]
        lifetime = event.data.tokens_end_at - event.data.ended_at
        assert lifetime.total_seconds() == 2 * 30 * 60
        assert b"ann" not in event.to_json()
        printed = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"security event"' in line]
        assert ("session.ended", user_id, "ended_by_owner") in {
            (line["security_event"], line.get("account_id"), line.get("reason")) for line in printed
        }


async def test_a_session_of_another_account_is_a_404_and_continues(run_auth: RunAuth) -> None:
    async with run_auth(rate_limit_signin="off") as auth:
        await auth.sign_up()
        await auth.sign_up("eve@example.com")
        ann, eve = await sign_in(auth), await sign_in(auth, "eve@example.com")
        target = next(one["id"] for one in await listed(auth, ann) if one["current"])

        for session_id in (target, new_id(), "x", "%24ne"):
            assert (await end(auth, eve, session_id)).status_code == 404

        assert target not in {one["id"] for one in await listed(auth, eve)}
        assert await is_open(auth, ann)


async def test_ending_a_session_needs_the_password_which_is_counted(run_auth: RunAuth) -> None:
    """A thief of a session cannot end the owner's (OWASP ASVS 5.0, 7.5.2)."""
    async with run_auth(rate_limit_signin="off", rate_limit_guesses="10/hour") as auth:
        await auth.sign_up()
        laptop = await sign_in(auth)
        target = next(one["id"] for one in await listed(auth, laptop) if not one["current"])

        answers = [await end(auth, laptop, target, "wrong password") for _ in range(9)]

        assert [answer.status_code for answer in answers] == [403] * 8 + [429]
        assert answers[0].json()["errors"][0]["field"] == "password"
        assert target in {one["id"] for one in await listed(auth, laptop)}


async def test_ending_the_own_session_deletes_its_cookie(auth: RunningAuth) -> None:
    await auth.sign_up()
    (own,) = (await auth.browser.get("/api/users/sessions")).json()
    answer = await auth.call("DELETE", f"sessions/{own['id']}", json={"password": PASSWORD})
    assert answer.status_code == 204
    assert auth.given_cookie(answer).value == ""


async def test_a_repeated_sign_out_publishes_one_event_and_one_that_was_interrupted_publishes_it_later(
    run_auth: RunAuth, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the bus, so that the events stay in the outbox and this replica does not learn them."""
    async with run_auth(nats_url=f"nats://127.0.0.1:{free_port()}") as auth:
        user_id = (await auth.sign_up()).json()["id"]
        token = auth.browser.cookies["session"]
        headers = {"Authorization": f"Bearer {token}"}

        async def waiting() -> list[str]:
            document = await auth.users.collection.find_one({"_id": user_id})
            assert document is not None
            return [entry["subject"] for entry in document["outbox"]]

        async def die(*_: object) -> None:
            raise KilledError

        service = auth.app.state.service
        with monkeypatch.context() as dying:
            dying.setattr(service._users, "update", die)  # between the two writes of a sign-out
            assert (await auth.post("signout", headers=headers)).status_code == 500
        assert not await is_open(auth, token)
        assert await waiting() == []
        with monkeypatch.context() as dying:
            dying.setattr(service._revoked, "published", die)  # the event is stored, and it is not noted
            assert (await auth.post("signout", headers=headers)).status_code == 500
        assert await waiting() == [f"user.session_ended.{user_id}"]

        for _ in range(3):
            assert (await auth.post("signout", headers=headers)).status_code == 200

        ended = f"user.session_ended.{user_id}"
        assert await waiting() == [ended, ended], "one for each death, and one more than is needed is harmless"
        assert await auth.app.state.runtime.collection("open_sessions").count_documents({}) == 0


async def test_sign_outs_of_many_sessions_at_once_all_end(run_auth: RunAuth) -> None:
    async with run_auth(rate_limit_signin="off") as auth:
        await auth.sign_up()
        tokens = [await sign_in(auth) for _ in range(5)]
        answers = await asyncio.gather(
            *(auth.post("signout", headers={"Authorization": f"Bearer {token}"}) for token in tokens)
        )
        assert {answer.status_code for answer in answers} == {200}
        assert [await is_open(auth, token) for token in tokens] == [False] * 5


async def test_a_session_from_before_the_list_is_added_by_its_renewal_and_a_page_keeps_the_label(
    auth: RunningAuth, identity: Identity
) -> None:
    user_id = (await auth.sign_up()).json()["id"]
    auth.browser.cookies.clear()
    now, session_id = int(utc_now().timestamp()), new_id()
    times = {"iat": now - 900, "exp": now + 900, "auth_time": now - 900}
    old = identity.token(user_id, EMAIL, sid=session_id, session_epoch=0, **times)
    for user_agent in (FIREFOX, "node"):
        answer = await auth.browser.get(
            "/api/users/currentuser", headers={"Cookie": f"session={old}", "User-Agent": user_agent}
        )
        assert auth.session_cookie(answer) is not None
    (found,) = [one for one in await listed(auth, old) if one["id"] == session_id]
    assert (found["device"], found["current"]) == ("Firefox on Linux", True)


async def test_an_operator_ends_the_sessions_of_one_account(
    auth: RunningAuth, bus: Bus, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(service="auth", level="info")
    user_id = (await auth.sign_up()).json()["id"]
    token = auth.browser.cookies["session"]

    assert user_id in await auth.app.state.accounts.end_sessions_of(user_id)

    assert not await is_open(auth, token)
    assert "operator" in capsys.readouterr().out
    assert (await auth.sign_in()).status_code == 200


async def test_the_queries_of_the_list_use_their_index(open_sessions: OpenSessions) -> None:
    plan = (
        await open_sessions.collection.find({"user_id": "x", "expires_at": {"$gt": utc_now()}})
        .sort("renewed_at", -1)
        .explain()
    )
    assert "sessions_of_a_user" in str(plan["queryPlanner"]["winningPlan"])
    assert "SORT'" not in str(plan["queryPlanner"]["winningPlan"])


def test_the_key_of_a_session_is_its_sid_or_the_id_of_a_token_without_one() -> None:
    now = utc_now()
    assert User("a", "", "token", now, now, session_id="session").session_key == "session"
    assert User("a", "", "token", now, now).session_key == "token"
