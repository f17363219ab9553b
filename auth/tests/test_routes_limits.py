"""The limits of sign-in and sign-up over HTTP, and what their refusals say."""

import asyncio
import re

from .conftest import RunAuth


async def test_guessing_a_password_ends_in_429_that_says_when_to_come_again(run_auth: RunAuth) -> None:
    async with run_auth(rate_limit_signin="3/minute") as auth:
        await auth.sign_up()
        for _ in range(3):
            assert (await auth.sign_in(password="wrong password")).status_code == 401

        refused = [await auth.sign_in(), await auth.token(), await auth.sign_in(" ANN@example.com")]

        assert [answer.status_code for answer in refused] == [429, 429, 429]
        assert all(1 <= int(answer.headers["retry-after"]) <= 60 for answer in refused)
        assert refused[0].headers["content-type"] == "application/problem+json"
        assert (await auth.sign_in("bob@example.com")).status_code == 401


async def test_every_answer_says_how_many_tries_are_left(run_auth: RunAuth) -> None:
    async with run_auth(rate_limit_signin="3/minute", rate_limit_signup="2/hour") as auth:
        signed_up = await auth.sign_up()
        assert signed_up.headers["RateLimit-Policy"] == '"sign-up";q=2;w=3600'
        assert signed_up.headers["RateLimit"] == '"sign-up";r=1;t=3600'

        answers = [await auth.sign_in(password="wrong password") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
        assert {answer.headers["RateLimit-Policy"] for answer in answers} == {
            '"sign-in-address";q=100;w=60, "sign-in";q=3;w=60'
        }
        left = [re.findall(r'"([\w-]+)";r=(\d+);t=(\d+)', answer.headers["RateLimit"]) for answer in answers]
        assert [[(name, int(rest)) for name, rest, _ in one] for one in left] == [
            [("sign-in-address", 99 - number), ("sign-in", max(0, 2 - number))] for number in range(4)
        ]
        assert all(1 <= int(seconds) <= 60 for one in left for _, _, seconds in one)
        assert "RateLimit" not in (await auth.current_user()).headers


async def test_trying_one_password_on_many_accounts_ends_in_429(run_auth: RunAuth) -> None:
    async with run_auth(rate_limit_signin_address="3/minute") as auth:
        statuses = [(await auth.sign_in(f"user{number}@example.com")).status_code for number in range(5)]
        assert statuses == [401, 401, 401, 429, 429]


async def test_signing_up_again_and_again_ends_in_429(run_auth: RunAuth) -> None:
    async with run_auth(rate_limit_signup="2/hour") as auth:
        statuses = [(await auth.sign_up(f"user{number}@example.com")).status_code for number in range(3)]
        assert statuses == [201, 201, 429]
        assert await auth.users.collection.count_documents({}) == 2


async def test_limits_can_be_switched_off(run_auth: RunAuth) -> None:
    async with run_auth(rate_limit_signin="off", rate_limit_signup="off", rate_limit_signin_address="1/hour") as auth:
        await auth.sign_up()
        statuses = {(await auth.sign_in()).status_code for _ in range(12)}
        assert statuses == {200}


async def test_more_sign_ins_than_can_be_hashed_are_asked_to_come_again(run_auth: RunAuth) -> None:
    async with run_auth(rate_limit_signin="off", password_threads=1, password_queue=1) as auth:
        await auth.sign_up()
        answers = await asyncio.gather(*(auth.sign_in() for _ in range(8)))
        by_status = {answer.status_code: answer for answer in answers}
        assert set(by_status) == {200, 503}
        assert int(by_status[503].headers["retry-after"]) >= 1
        assert (await auth.sign_in()).status_code == 200
