"""What the parts of the demo share: steps that print their outcome, and the usual ones."""

import time
from collections.abc import Callable, Mapping
from secrets import token_hex
from typing import Any, Final

import httpx
from rich.markup import escape

from ticketing_ops.api import Api
from ticketing_ops.console import console

WAIT_SECONDS: Final = 10.0
PASSWORD: Final = token_hex(8)


class ScenarioError(Exception):
    """A step had a different result than expected."""


class Scenario:
    """One run against a marketplace; `inbox` is the address of its local inbox, if there is one."""

    def __init__(self, api: Api, inbox: str | None) -> None:
        self.api = api
        self.inbox = inbox
        self.emails: dict[str, str] = {}
        """By the token of the account."""
        self.steps = 0

    def step(self, text: str, play: Callable[[], str]) -> None:
        """Run one step, and print its result and duration."""
        began = time.perf_counter()
        try:
            outcome = play()
        except ScenarioError as error:
            console.print(f"  [red]✗[/] {text}: {escape(str(error))}", soft_wrap=True)
            raise
        except (httpx.HTTPError, KeyError, ValueError) as error:
            console.print(f"  [red]✗[/] {text}: {escape(repr(error))}", soft_wrap=True)
            raise ScenarioError(f"{text}: {error!r}") from error
        self.steps += 1
        milliseconds = (time.perf_counter() - began) * 1000
        console.print(
            f"  [green]✓[/] [dim]{milliseconds:6.0f} ms[/]  {text:<38} [dim]{escape(outcome)}[/]", soft_wrap=True
        )

    def expect(self, status: int, method: str, path: str, token: str | None, **arguments: Any) -> Any:
        """Send one request and return its body; raises `ScenarioError` for another status."""
        answer = self.api.call(method, path, token, **arguments)
        if answer.status_code != status:
            raise ScenarioError(
                f"{method} {path} answered {answer.status_code} instead of {status}: {answer.text[:300]}"
            )
        return answer.json() if answer.content else None

    def wait(self, path: str, token: str | None, want: Mapping[str, object], seconds: float = WAIT_SECONDS) -> Any:
        """Poll until the body has these values; raises `ScenarioError` after `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.expect(200, "GET", path, token)
            if all(found[name] == value for name, value in want.items()):
                return found
            if time.monotonic() > deadline:
                raise ScenarioError(
                    f"{path} still is { ({name: found[name] for name in want}) } instead of {dict(want)}"
                )
            time.sleep(0.02)

    def wait_for_status(self, path: str, token: str | None, status: int) -> None:
        """Poll until the response has this status; raises `ScenarioError` after `WAIT_SECONDS`."""
        deadline = time.monotonic() + WAIT_SECONDS
        while (found := self.api.call("GET", path, token).status_code) != status:
            if time.monotonic() > deadline:
                raise ScenarioError(f"GET {path} still answers {found} instead of {status}")
            time.sleep(0.02)

    def mailed(self, who: str, token: str, subject: str) -> None:
        """A step: the account has got a mail whose subject begins so. Only where the inbox can be read."""
        if self.inbox is not None:
            self.step(f"{who} gets a mail", lambda: self.mail(self.emails[token], subject)["subject"])

    def mail(self, email: str, subject: str) -> dict[str, str]:
        """Poll the inbox until a mail to this address has come whose subject begins so, and return the newest one."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            answer = httpx.get(f"{self.inbox}/mails.json", params={"to": email})
            mails: list[dict[str, str]] = answer.raise_for_status().json()
            for mail in mails:
                if mail["subject"].startswith(subject):
                    return mail
            if time.monotonic() > deadline:
                raise ScenarioError(f"no mail {subject!r} has come, only {[mail['subject'] for mail in mails]}")
            time.sleep(0.05)


def sign_up(scenario: Scenario, who: str) -> str:
    """A step: sign up, and return the token."""
    token = ""

    def create() -> str:
        nonlocal token
        email = f"{who.replace(' ', '-')}-{token_hex(4)}@example.com"
        token = scenario.api.account(email, PASSWORD)
        scenario.emails[token] = email
        return "201, token"

    scenario.step(f"{who} signs up", create)
    return token


def list_seats(scenario: Scenario, seller: str, price: float, quantity: int = 1) -> str:
    """A step: list seats, and return the id of the listing."""
    ticket_id = ""

    def list_ticket() -> str:
        nonlocal ticket_id
        body = {"title": f"Demo night {token_hex(2)}", "price": price, "venue": "Town Hall", "quantity": quantity}
        ticket = scenario.expect(201, "POST", "/api/tickets", seller, json=body)
        ticket_id = ticket["id"]
        return f"201, {ticket['price']:.2f} {ticket['currency']}"

    scenario.step("seller lists a ticket" if quantity == 1 else f"seller lists {quantity} seats", list_ticket)
    return ticket_id


def hold(scenario: Scenario, who: str, token: str, ticket_id: str, quantity: int = 1) -> Any:
    """A step: hold seats, and return the order."""
    order: Any = None

    def place() -> str:
        nonlocal order
        body = {"ticketId": ticket_id, "quantity": quantity}
        order = scenario.expect(201, "POST", "/api/orders", token, json=body)
        return f"201, {order['status']}" + (f", seats {order['seats']}" if quantity > 1 else "")

    scenario.step(f"{who} holds {'it' if quantity == 1 else f'{quantity} seats'}", place)
    return order


def pay(scenario: Scenario, token: str, order_id: str) -> Any:
    """Pay with a card that is accepted, and return the payment."""
    body = {"orderId": order_id, "paymentMethodId": "pm_card_visa"}
    return scenario.expect(201, "POST", "/api/payments", token, json=body)


def pay_step(scenario: Scenario, text: str, token: str, order_id: str) -> None:
    """A step that pays an order."""
    scenario.step(text, lambda: f"201, {pay(scenario, token, order_id)['status']}")
