"""Each outcome of a sign-in is logged (OWASP ASVS 5.0, V16.3.1)."""

import json

import pytest

from ticketing_common.telemetry import configure_logging

from .accounts.factor_calls import Clock, enrol, renew_codes, sign_in, turn_off
from .conftest import RunAuth


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


async def test_what_happens_to_the_second_factor_is_logged_without_a_code(
    run_auth: RunAuth, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch)
    async with run_auth(rate_limit_codes="1/day", rate_limit_signin="off") as auth:
        configure_logging(service="auth", level="info")
        account = (await auth.sign_up()).json()["id"]
        app, codes = await enrol(auth, clock)
        secret = (await auth.users.get(account)).second_factor
        await sign_in(auth)
        await sign_in(auth, codes[0])
        renewed = (await renew_codes(auth, app.next_code())).json()["recoveryCodes"]
        await sign_in(auth, wrong := app.wrong_code())
        await sign_in(auth, used := app.code())
        auth.browser.cookies.clear()
        bearer = {"Authorization": f"Bearer {auth.app.state.service.issue_token(await auth.users.get(account))}"}
        await auth.app.state.runtime.collection("code_guesses").delete_many({})
        assert (await turn_off(auth, renewed[0], headers=bearer)).status_code == 204
        printed = capsys.readouterr().out

    lines = [json.loads(line) for line in printed.splitlines() if '"security event"' in line]
    logged = [line["security_event"] for line in lines if line["security_event"].startswith("second_factor.")]
    assert logged == [
        *("second_factor.enabled", "second_factor.required", "second_factor.recovery_code_used"),
        *("second_factor.recovery_codes_replaced", "second_factor.failed", "second_factor.blocked"),
        "second_factor.disabled",
    ]
    assert {line["account_id"] for line in lines if line["security_event"].startswith("second_factor.")} == {account}
    assert secret is not None
    plain = [code.replace("-", "") for code in (*codes, *renewed)]
    for hidden in (*codes, *renewed, *plain, secret.sealed_secret, f'"{wrong}"', f'"{used}"'):
        assert hidden not in printed
