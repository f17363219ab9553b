"""Each outcome of a sign-in is logged (OWASP ASVS 5.0, V16.3.1)."""

import json

import pytest

from ticketing_common.telemetry import configure_logging

from .conftest import RunAuth

EMAIL = "ann@example.com"


async def test_each_way_that_a_sign_in_ends_is_logged_without_the_email(
    run_auth: RunAuth, capsys: pytest.CaptureFixture[str]
) -> None:
    async with run_auth(rate_limit_guesses="10/hour", rate_limit_signin="off") as auth:
        configure_logging(service="auth", level="info")
        account = (await auth.sign_up()).json()["id"]
        auth.browser.cookies.clear()
        await auth.sign_in()
        await auth.token()
        await auth.sign_in("nobody@example.com")
        auth.browser.cookies.clear()
        for number in range(9):
            await auth.sign_in(password=f"wrong password {number}")
        printed = capsys.readouterr().out

    lines = [json.loads(line) for line in printed.splitlines() if '"security event"' in line]
    logged = [(line["security_event"], line.get("account_id")) for line in lines]
    assert logged == [
        ("account.created", account),
        ("sign_in.succeeded", account),
        ("sign_in.succeeded", account),
        ("sign_in.failed", None),
        *[("sign_in.failed", account)] * 8,
        ("sign_in.blocked", account),
    ]
    unknown = lines[3]["account_key"]
    assert len(unknown) == 32
    for secret in ("@example.com", "nobody", "wrong password", "correct horse"):
        assert secret not in printed
