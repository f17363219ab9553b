"""The second factor over HTTP: enrolment, sign-in, recovery codes, turning off, and attacks on each."""

import asyncio
from collections import Counter
from datetime import timedelta

from ticketing_auth.mail import MailKind
from ticketing_auth.second_factor import new_recovery_codes

from ..conftest import EMAIL, NEW_PASSWORD, PASSWORD, RunAuth, RunningAuth
from .account_calls import Post, api_token, who
from .factor_calls import (
    REQUIRED,
    STEP,
    App,
    Clock,
    begin,
    call,
    confirm,
    enrol,
    renew_codes,
    sign_in,
    told,
    turn_off,
)


async def test_a_factor_is_on_after_its_first_code_and_every_sign_in_asks_for_one(
    auth: RunningAuth, post: Post, clock: Clock
) -> None:
    await auth.sign_up()
    former = await api_token(auth)
    enrolment = (await begin(auth)).json()
    app = App(clock, enrolment["secret"])
    assert (await call(auth, "GET")).json() == {"state": "off", "enabledAt": None, "recoveryCodesLeft": 0}
    assert (await confirm(auth, app.wrong_code())).status_code == 403
    assert enrolment["secret"] in enrolment["uri"]

    answer = await confirm(auth, app.code())

    assert answer.status_code == 200
    codes = answer.json()["recoveryCodes"]
    assert len(set(codes)) == 10
    assert await who(auth, former) is None, "all other sessions end"
    state = (await call(auth, "GET")).json()
    assert (state["state"], state["recoveryCodesLeft"]) == ("on", 10)
    export = await auth.browser.get("/api/users/me/export")
    assert export.json()["secondFactor"] == state
    stored = str(await auth.users.collection.find_one({}))
    for secret in (enrolment["secret"], *(code.replace("-", "") for code in codes)):
        assert secret not in export.text
        assert secret not in stored
    assert (await confirm(auth, app.next_code())).status_code == 409
    assert (await begin(auth)).status_code == 409

    for refused in (await sign_in(auth), await auth.token()):
        assert refused.status_code == 401
        assert refused.json()["type"] == REQUIRED
        assert refused.headers.get_list("set-cookie") == []
    wrong = await sign_in(auth, app.wrong_code())
    assert (wrong.status_code, wrong.json()["type"]) == (401, REQUIRED)
    assert [error["field"] for error in wrong.json()["errors"]] == ["code"]
    assert (await sign_in(auth, app.code())).status_code == 200
    assert (await auth.token(code=app.next_code())).status_code == 200
    assert await told(post) == ["on"]


async def test_a_code_is_accepted_once_also_of_eight_at_once_at_two_replicas(run_auth: RunAuth, clock: Clock) -> None:
    limits = {"rate_limit_signin": "off", "rate_limit_codes": "100/day", "request_seconds": 240.0}
    async with run_auth(**limits) as one, run_auth(**limits) as other:
        await one.sign_up()
        app, codes = await enrol(one, clock)
        assert (await sign_in(one, app.code())).status_code == 401, "the code of the enrolment was used"

        for code, left in ((app.next_code(), 10), (codes[3], 9)):
            attempts = [replica.token(code=code) for replica in (one, other) for _ in range(4)]
            answers = await asyncio.gather(*attempts)
            assert Counter(answer.status_code for answer in answers) == {200: 1, 401: 7}
            winner = next(answer for answer in answers if answer.status_code == 200)
            state = await call(one, "GET", headers={"Authorization": f"Bearer {winner.json()['access_token']}"})
            assert state.json()["recoveryCodesLeft"] == left
        assert (await one.token(code=app.code(at=clock.now - STEP))).status_code == 401, "older than one that was used"


async def test_a_wrong_password_reveals_nothing_about_the_factor_and_counts_no_code(
    auth: RunningAuth, clock: Clock
) -> None:
    await auth.sign_up()
    before = await sign_in(auth, password="wrong password")
    await auth.sign_in()
    app, codes = await enrol(auth, clock)

    for code in (None, app.wrong_code(), app.next_code(), codes[0]):
        answer = await sign_in(auth, code, password="wrong password")
        assert (answer.status_code, answer.content) == (before.status_code, before.content)
    for code in ("\u0661" * 6, "12345", "1" * 10_000, ""):
        for password in (PASSWORD, "wrong password"):
            refused = await sign_in(auth, code, password=password)
            assert refused.status_code == 422
            assert [error["field"] for error in refused.json()["errors"]] == ["code"]
    assert await auth.app.state.runtime.collection("code_guesses").count_documents({"guesses": {"$ne": []}}) == 0
    assert (await sign_in(auth, codes[0])).status_code == 200, "not one of the refused codes was used up"


async def test_codes_cannot_be_guessed_and_the_owners_browser_is_not_locked_out(
    run_auth: RunAuth, clock: Clock
) -> None:
    limits = {"rate_limit_signin": "off", "rate_limit_codes": "6/day", "request_seconds": 240.0}
    async with run_auth(**limits) as one, run_auth(**limits) as other:
        await one.sign_up()
        known = dict(one.browser.cookies)
        app, codes = await enrol(one, clock)
        wrong = app.wrong_code()

        answers = await asyncio.gather(*(replica.token(code=wrong) for replica in (one, other) for _ in range(5)))

        assert Counter(answer.status_code for answer in answers) == {401: 6, 429: 4}
        waits = [int(answer.headers["Retry-After"]) for answer in answers if answer.status_code == 429]
        assert all(wait > 80_000 for wait in waits)
        clock.forward()
        assert (await one.token(code=app.code())).status_code == 429, "a right code is not checked either"
        assert (await one.token(code=new_recovery_codes()[0])).status_code == 401
        assert (await one.token(code=codes[0])).status_code == 200, "a recovery code lets the owner in all the same"
        assert (await sign_in(one, app.code(), password="wrong password")).status_code == 401
        assert (await sign_in(other)).json()["type"] == REQUIRED

        device = {name: value for name, value in known.items() if name.startswith("device-")}
        cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in device.items())}
        statuses = [(await sign_in(one, wrong, headers=cookies)).status_code for _ in range(4)]
        assert statuses == [401, 401, 401, 429], "a stolen device cookie has few guesses"
        guesses = one.app.state.runtime.collection("code_guesses")
        await guesses.update_one({}, {"$pull": {"guesses": {"device": {"$ne": None}}}})
        assert (await sign_in(one, app.code(), headers=cookies)).status_code == 200
        (counted,) = await guesses.find({}).to_list(None)
        assert len(counted["guesses"]) == 6, "a right code uses nothing up"
        assert len((await one.browser.get("/api/users/me/export")).json()["wrongCodes"]) == 6
        assert await told(Post(one)) == ["on", "blocked", "recovery_code_used"], "the owner is told once"


async def test_a_stolen_session_sets_up_nothing_and_an_unconfirmed_secret_counts_for_nothing(
    auth: RunningAuth, post: Post, clock: Clock
) -> None:
    await auth.sign_up()
    assert (await begin(auth, "wrong password")).status_code == 403
    assert (await confirm(auth, "123456")).status_code == 409
    assert (await turn_off(auth, "123456")).status_code == 409
    assert (await renew_codes(auth, "123456")).status_code == 409
    assert await auth.users.collection.count_documents({"pending_factor": {"$ne": None}}) == 0

    thief = App(clock, (await begin(auth)).json()["secret"])
    owner = App(clock, (await begin(auth)).json()["secret"])
    assert (await confirm(auth, thief.code())).status_code == 403, "a second enrolment replaces the first"
    assert (await sign_in(auth)).status_code == 200
    clock.forward(timedelta(minutes=10))
    assert (await confirm(auth, owner.code())).status_code == 409
    assert (await begin(auth)).status_code == 200
    assert (await auth.change_password()).status_code == 200
    assert await auth.users.collection.count_documents({"pending_factor": {"$ne": None}}) == 0, "it is void"
    assert await told(post) == []


async def test_a_reset_by_mail_does_not_replace_the_factor(auth: RunningAuth, post: Post, clock: Clock) -> None:
    await auth.sign_up()
    app, codes = await enrol(auth, clock)
    session = auth.browser.cookies["session"]
    await auth.post("password-reset", json={"email": EMAIL})
    token = await post.token(MailKind.RESET)

    answer = await auth.post("password-reset/confirm", json={"token": token, "password": NEW_PASSWORD})

    assert answer.status_code == 200
    assert auth.session_cookie(answer) is None
    assert await who(auth, session) is None
    assert (await sign_in(auth, password=NEW_PASSWORD)).json()["type"] == REQUIRED
    assert (await auth.token(password=NEW_PASSWORD)).json()["type"] == REQUIRED
    assert (await sign_in(auth, app.next_code(), password=NEW_PASSWORD)).status_code == 200
    assert (await auth.change_password(NEW_PASSWORD, PASSWORD)).status_code == 200
    assert (await sign_in(auth)).json()["type"] == REQUIRED, "a change of password does not replace it either"
    assert (await sign_in(auth, codes[9])).status_code == 200


async def test_recovery_codes_replace_a_lost_device_and_new_ones_void_them(
    auth: RunningAuth, post: Post, clock: Clock
) -> None:
    await auth.sign_up()
    app, codes = await enrol(auth, clock)
    assert (await sign_in(auth, codes[0].lower())).status_code == 200
    assert (await sign_in(auth, codes[0])).status_code == 401
    assert (await sign_in(auth, new_recovery_codes()[0])).status_code == 401
    assert await told(post) == ["on", "recovery_code_used"], "a refused code has no mail"

    assert (await sign_in(auth, codes[1])).status_code == 200
    token = (await auth.token(code=codes[2])).json()["access_token"]
    assert (await renew_codes(auth, app.next_code(), "wrong password")).status_code == 403
    assert (await renew_codes(auth, app.wrong_code())).status_code == 403
    answer = await renew_codes(auth, codes[3])
    assert answer.status_code == 200
    assert await who(auth, token) is None
    assert (await call(auth, "GET")).json()["recoveryCodesLeft"] == 10
    assert (await sign_in(auth, codes[4])).status_code == 401
    assert (await sign_in(auth, answer.json()["recoveryCodes"][0])).status_code == 200

    assert (await turn_off(auth, app.code(), "wrong password")).status_code == 403
    assert (await turn_off(auth, app.wrong_code())).json()["errors"][0]["field"] == "code"
    assert (await call(auth, "GET")).json()["state"] == "on"
    token = (await auth.token(code=app.next_code())).json()["access_token"]
    assert (await turn_off(auth, answer.json()["recoveryCodes"][1])).status_code == 204
    assert await who(auth, token) is None
    assert (await call(auth, "GET")).json()["state"] == "off", "the browser that did it stays signed in"
    assert (await sign_in(auth)).status_code == 200
    used = ["recovery_code_used"] * 3
    assert await told(post) == ["on", *used, "recovery_codes", "recovery_code_used", "off"]
