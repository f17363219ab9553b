"""Tokens for programs: RFC 6749, and what is refused."""

import pytest

from .conftest import EMAIL, PASSWORD, RunningAuth


async def test_a_token_is_given_to_programs_in_the_words_of_rfc_6749_and_without_a_cookie(auth: RunningAuth) -> None:
    made = (await auth.sign_up()).json()
    auth.browser.cookies.clear()

    answer = await auth.token("ANN@example.com ", scope="", client_id="curl")

    assert answer.status_code == 200
    assert answer.json() == {"access_token": answer.json()["access_token"], "token_type": "bearer", "expires_in": 1800}
    assert answer.headers["cache-control"] == "no-store"
    assert auth.session_cookie(answer) is None
    current = await auth.current_user(bearer=answer.json()["access_token"])
    assert current.json() == {"currentUser": {**made, "emailVerified": False}}


@pytest.mark.parametrize(
    ("username", "password"),
    [(EMAIL, "wrong"), ("bob@example.com", PASSWORD), ("no e-mail", PASSWORD), ("$ne", PASSWORD)],
)
async def test_wrong_credentials_get_no_token(auth: RunningAuth, username: str, password: str) -> None:
    await auth.sign_up()
    answer = await auth.token(username, password)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "form",
    [
        *({"username": EMAIL}, {"password": PASSWORD}, {}, {"username": "a" * 300, "password": PASSWORD}),
        {"username": EMAIL, "password": PASSWORD, "grant_type": "client_credentials"},
    ],
)
async def test_a_form_that_is_not_valid_is_refused_without_an_echo(auth: RunningAuth, form: dict[str, str]) -> None:
    answer = await auth.post("token", data=form)
    assert answer.status_code == 422
    assert PASSWORD not in answer.text


async def test_a_file_or_broken_bytes_in_the_form_are_no_credentials(auth: RunningAuth) -> None:
    answer = await auth.post("token", files={"password": b"secret"}, data={"username": EMAIL})
    assert answer.status_code == 422
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await auth.post("token", content=b"username=%ff%fe&password=%ed%a0%80secret", headers=headers)
    assert answer.status_code in {401, 422}
