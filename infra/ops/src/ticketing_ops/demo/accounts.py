"""The part of the demo in which a seller resets the password, ends all sessions, takes the data along and leaves."""

import re
from collections.abc import Callable
from secrets import token_hex

import httpx

from ticketing_ops.console import console

from .scenario import PASSWORD, Scenario, ScenarioError, list_seats, sign_up

_TOKEN = re.compile(r"/reset-password#token=(\S+)")


def leave(scenario: Scenario) -> None:
    """One account from the forgotten password to its deletion. Without an inbox the password is changed instead."""
    console.print("\n[bold]An account gets a new password, signs out everywhere, and leaves[/]")
    token = sign_up(scenario, "leaving seller")
    email, password = scenario.emails[token], token_hex(8)
    ticket_id = list_seats(scenario, token, 15)

    def reset() -> str:
        scenario.expect(202, "POST", "/api/users/password-reset", None, json={"email": email})
        mail = scenario.mail(email, "Choose a new password")
        link = _TOKEN.search(mail["text"])
        if link is None:
            raise ScenarioError("the mail has no link")
        body = {"token": link[1], "password": password}
        scenario.expect(200, "POST", "/api/users/password-reset/confirm", None, json=body)
        scenario.expect(422, "POST", "/api/users/password-reset/confirm", None, json=body)
        return "200, and 422 for the second use"

    def change() -> str:
        body = {"currentPassword": PASSWORD, "password": password}
        scenario.expect(200, "PUT", "/api/users/password", token, json=body)
        return "200"

    def sign_in() -> str:
        form = {"username": email, "password": password}
        return str(scenario.expect(200, "POST", "/api/users/token", None, data=form)["access_token"])

    def ended(former: str) -> Callable[[], str]:
        def refused() -> str:
            for path in ("/api/users/me/export", "/api/tickets/mine", "/api/orders"):
                scenario.wait_for_status(path, former, httpx.codes.UNAUTHORIZED)
            return "401 at auth, tickets and orders"

        return refused

    if scenario.inbox is None:
        scenario.step("seller changes the password", change)
    else:
        scenario.step("seller sets a password by the mailed link", reset)
    scenario.step("the former session has ended", ended(token))
    scenario.mailed("seller", token, "Your password was changed")

    second = sign_in()

    def sign_out() -> str:
        scenario.expect(200, "POST", "/api/users/signout-everywhere", second)
        return "200"

    scenario.step("seller signs out everywhere", sign_out)
    scenario.step("that session has ended, too", ended(second))

    last = sign_in()

    def export() -> str:
        found = scenario.expect(200, "GET", "/api/users/me/export", last)
        if found["account"]["email"] != email:
            raise ScenarioError(f"the data are those of {found['account']}")
        return (
            f"200, {len(found['mails'])} mails, e-mail {'' if found['account']['emailVerified'] else 'not '}confirmed"
        )

    def delete() -> str:
        scenario.expect(403, "DELETE", "/api/users/me", last, json={"password": PASSWORD})
        scenario.expect(204, "DELETE", "/api/users/me", last, json={"password": password})
        return "204, and 403 with the former password"

    def withdrawn() -> str:
        scenario.wait_for_status(f"/api/tickets/{ticket_id}", None, httpx.codes.NOT_FOUND)
        return "404"

    def unknown() -> str:
        form = {"username": email, "password": password}
        return f"401, {scenario.expect(401, 'POST', '/api/users/token', None, data=form)['title']}"

    scenario.step("seller downloads the data", export)
    scenario.step("seller deletes the account", delete)
    scenario.step("the listing is withdrawn", withdrawn)
    scenario.step("signing in fails", unknown)
