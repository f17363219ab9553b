"""Sign-up and sign-in: responses and refusals."""

import asyncio
import json
from typing import Any

import jwt
import pytest

from ticketing_testkit.apps import Identity

from .conftest import EMAIL, PASSWORD, RunAuth, RunningAuth

CREDENTIALS = {"email": EMAIL, "password": PASSWORD}


async def test_signing_up_makes_an_account_and_a_session(auth: RunningAuth) -> None:
    answer = await auth.sign_up(" Ann@Example.com ")

    assert answer.status_code == 201
    assert answer.json() == {"id": answer.json()["id"], "email": EMAIL}
    assert (await auth.users.get(answer.json()["id"])).email == EMAIL
    assert (await auth.current_user()).json() == {"currentUser": {**answer.json(), "emailVerified": False}}


async def test_the_password_is_stored_as_a_hash_and_is_in_no_response(auth: RunningAuth) -> None:
    answer = await auth.sign_up()
    document = await auth.users.collection.find_one({"_id": answer.json()["id"]})
    assert document is not None
    assert document["password_hash"].startswith("$argon2id$")
    assert PASSWORD not in f"{document}{answer.text}{answer.headers}"


async def test_the_cookie_is_one_that_scripts_and_other_sites_cannot_use(auth: RunningAuth, run_auth: RunAuth) -> None:
    cookie = auth.given_cookie(await auth.sign_up())
    assert cookie["httponly"] is True
    assert cookie["samesite"] == "lax"
    assert cookie["path"] == "/"
    assert cookie["max-age"] == "1800"
    assert cookie["domain"] == ""
    assert not cookie["secure"]

    async with run_auth(cookie_secure=True, session_minutes=5) as secure:
        answer = await secure.sign_in()
        cookie = secure.given_cookie(answer, "__Host-session")
        assert cookie["secure"] is True
        assert (cookie["path"], cookie["domain"]) == ("/", "")
        assert cookie["max-age"] == "300"
        assert secure.session_cookie(answer) is None


async def test_the_token_in_the_cookie_says_who_until_when_and_nothing_secret(
    auth: RunningAuth, identity: Identity
) -> None:
    answer = await auth.sign_up()
    claims = jwt.decode(
        auth.given_cookie(answer).value, identity.public_key_pem, algorithms=["EdDSA"], audience="ticketing"
    )
    standard = {"sub", "email", "email_verified", "iss", "aud", "iat", "exp", "auth_time", "jti", "sid"}
    assert set(claims) == standard | {"session_epoch"}
    assert (claims["sub"], claims["email"]) == (answer.json()["id"], EMAIL)
    assert claims["exp"] - claims["iat"] == 1800


async def test_one_account_per_email_however_it_is_written(auth: RunningAuth) -> None:
    await auth.sign_up()
    for email in (EMAIL, "ANN@example.COM", " ann@example.com\t"):
        answer = await auth.sign_up(email, "another password")
        assert answer.status_code == 409
        assert [error["field"] for error in answer.json()["errors"]] == ["email"]
        assert auth.session_cookie(answer) is None
    assert await auth.users.collection.count_documents({}) == 1
    assert (await auth.sign_in()).status_code == 200


async def test_of_many_sign_ups_at_once_one_is_answered_with_201(auth: RunningAuth) -> None:
    passwords = [f"password {number}" for number in range(10)]
    answers = await asyncio.gather(*(auth.sign_up(password=password) for password in passwords))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9
    assert await auth.users.collection.count_documents({}) == 1
    (winner,) = (password for password, answer in zip(passwords, answers, strict=True) if answer.status_code == 201)
    assert (await auth.sign_in(password=winner)).status_code == 200


@pytest.mark.parametrize("path", ["signup", "signin"])
@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({**CREDENTIALS, "email": "ann"}, {"email"}),
        ({**CREDENTIALS, "email": ""}, {"email"}),
        ({**CREDENTIALS, "email": None}, {"email"}),
        ({**CREDENTIALS, "email": {"$gt": ""}}, {"email"}),
        ({**CREDENTIALS, "email": "a" * 10_000 + "@example.com"}, {"email"}),
        ({**CREDENTIALS, "password": ""}, {"password"}),
        ({**CREDENTIALS, "password": "p" * 129}, {"password"}),
        ({**CREDENTIALS, "password": 12345678}, {"password"}),
        ({**CREDENTIALS, "password": {"$ne": None}}, {"password"}),
        ({**CREDENTIALS, "admin": True}, {"admin"}),
        ({"email": EMAIL}, {"password"}),
        ({}, {"email", "password"}),
        ([CREDENTIALS], {None}),
        (None, {None}),
    ],
)
async def test_what_is_not_valid_is_named_and_changes_nothing(
    auth: RunningAuth, path: str, body: object, fields: set[str | None]
) -> None:
    answer = await auth.post(path, json=body)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert {error.get("field") for error in answer.json()["errors"]} == fields
    assert await auth.users.collection.count_documents({}) == 0


@pytest.mark.parametrize(
    "body",
    [
        {"email": EMAIL, "password": "seven77"},
        {"email": "ann", "password": "a wonderful secret"},
        {"email": EMAIL, "password": "a wonderful secret" * 8},
        {"email": EMAIL, "password": ["a wonderful secret"]},
        {"email": EMAIL, "password": "a wonderful secret", "passwort": "a wonderful secret"},
        {"mail": EMAIL, "password": "a wonderful secret"},
    ],
)
async def test_a_refusal_never_echoes_a_password(
    auth: RunningAuth, body: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    answer = await auth.post("signup", json=body)
    assert answer.status_code == 422
    out, err = capfd.readouterr()
    for secret in ("seven77", "wonderful"):
        assert secret not in answer.text + out + err


@pytest.mark.parametrize("content", ["", "{", '{"email": "ann@example.com", "password": "secret', "\x00"])
async def test_what_is_not_json_is_refused_without_an_echo(auth: RunningAuth, content: str) -> None:
    answer = await auth.post("signin", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert "secret" not in answer.text


async def test_half_a_character_is_neither_a_password_nor_a_field(auth: RunningAuth) -> None:
    await auth.sign_up()
    headers = {"Content-Type": "application/json"}
    for path in ("signup", "signin"):
        answer = await auth.post(
            path, content=json.dumps({**CREDENTIALS, "password": "12345678\ud800"}), headers=headers
        )
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == ["password"]

        answer = await auth.post(path, content=json.dumps({**CREDENTIALS, "\ud800": 1}), headers=headers)
        assert answer.status_code == 422


async def test_a_form_is_not_json_so_no_other_sites_page_can_sign_its_visitor_in(auth: RunningAuth) -> None:
    await auth.sign_up()
    auth.browser.cookies.clear()
    answer = await auth.post("signin", data=CREDENTIALS, headers={"Origin": "https://evil.example"})
    assert answer.status_code in {415, 422}
    answer = await auth.post("signin", content=json.dumps(CREDENTIALS), headers={"Content-Type": "text/plain"})
    assert answer.status_code in {415, 422}


async def test_signing_in_begins_a_session(auth: RunningAuth) -> None:
    made = (await auth.sign_up()).json()
    auth.browser.cookies.clear()

    answer = await auth.sign_in(" ANN@example.com")

    assert answer.status_code == 200
    assert answer.json() == made
    assert auth.given_cookie(answer)["max-age"] == "1800"
    assert (await auth.current_user()).json() == {"currentUser": {**made, "emailVerified": False}}


async def test_a_wrong_password_and_an_unknown_email_get_the_same_answer(auth: RunningAuth) -> None:
    await auth.sign_up()
    auth.browser.cookies.clear()

    wrong = await auth.sign_in(password="correct horse batteries")
    unknown = await auth.sign_in("bob@example.com")

    assert wrong.status_code == unknown.status_code == 401
    assert wrong.content == unknown.content
    assert "WWW-Authenticate" in wrong.headers
    assert "WWW-Authenticate" in unknown.headers
    assert auth.session_cookie(wrong) is None


async def test_a_password_counts_to_its_last_character_and_by_case(auth: RunningAuth) -> None:
    await auth.sign_up(password="p" * 128)
    assert (await auth.sign_in(password="p" * 127)).status_code == 401
    assert (await auth.sign_in(password="p" * 127 + "P")).status_code == 401
    assert (await auth.sign_in(password="p" * 128)).status_code == 200


async def test_no_answer_about_a_session_may_be_stored(auth: RunningAuth) -> None:
    answers = [await auth.sign_up(), await auth.sign_in(), await auth.token(), await auth.current_user()]
    answers.append(await auth.post("signout"))
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}


async def test_the_api_is_documented_under_its_own_prefix(auth: RunningAuth) -> None:
    document = (await auth.browser.get("/api/users/openapi.json")).json()
    assert set(document["paths"]) == {
        f"/api/users/{name}"
        for name in (
            *("signup", "signin", "token", "signout", "signout-everywhere", "currentuser", "password"),
            *("verification", "verification/confirm", "password-reset", "password-reset/confirm", "me", "me/export"),
            *("sessions", "sessions/{id}"),
            *("second-factor", "second-factor/confirm", "second-factor/recovery-codes"),
        )
    }
    password = document["components"]["schemas"]["SignUpRequest"]["properties"]["password"]
    assert (password["minLength"], password["maxLength"], password["writeOnly"]) == (8, 128, True)
    assert (await auth.browser.get("/api/users/docs")).status_code == 200
