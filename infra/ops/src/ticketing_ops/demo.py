"""The demo scenario over plain HTTP: a ticket is sold once, refused twice, and free again after an unpaid hold."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any, Final

import httpx
from rich.markup import escape

from .api import Api
from .console import console

__all__ = ["ScenarioError", "play"]

WAIT_SECONDS: Final = 10.0
PASSWORD: Final = token_hex(8)


class ScenarioError(Exception):
    """A step had a different result than expected."""


class _Scenario:
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

    def mailed(self, who: str, token: str, subject: str) -> None:
        """A step: the account has got a mail whose subject begins so. Only where the inbox can be read."""
        if self.inbox is not None:
            self.step(f"{who} gets a mail", lambda: self._mail(self.emails[token], subject))

    def _mail(self, email: str, subject: str) -> str:
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            mails = httpx.get(f"{self.inbox}/mails.json", params={"to": email}).raise_for_status().json()
            for mail in mails:
                if mail["subject"].startswith(subject):
                    return str(mail["subject"])
            if time.monotonic() > deadline:
                raise ScenarioError(f"no mail {subject!r} has come, only {[mail['subject'] for mail in mails]}")
            time.sleep(0.05)


def play(addresses: Mapping[str, str], reservation_window_seconds: int) -> int:
    """Run all steps and return their number. Raises `ScenarioError` at the first that differs."""
    with httpx.Client(timeout=20) as http:
        scenario = _Scenario(Api(http, addresses), addresses.get("inbox"))
        _sold(scenario)
        _shared(scenario)
        _expired(scenario, reservation_window_seconds)
        return scenario.steps


def _account(scenario: _Scenario, who: str) -> str:
    token = ""

    def sign_up() -> str:
        nonlocal token
        email = f"{who.replace(' ', '-')}-{token_hex(4)}@example.com"
        token = scenario.api.account(email, PASSWORD)
        scenario.emails[token] = email
        return "201, token"

    scenario.step(f"{who} signs up", sign_up)
    return token


def _listed(scenario: _Scenario, seller: str, price: float, quantity: int = 1) -> str:
    ticket_id = ""

    def list_ticket() -> str:
        nonlocal ticket_id
        body = {"title": f"Demo night {token_hex(2)}", "price": price, "venue": "Town Hall", "quantity": quantity}
        ticket = scenario.expect(201, "POST", "/api/tickets", seller, json=body)
        ticket_id = ticket["id"]
        return f"201, {ticket['price']:.2f} {ticket['currency']}"

    scenario.step("seller lists a ticket" if quantity == 1 else f"seller lists {quantity} seats", list_ticket)
    return ticket_id


def _held(scenario: _Scenario, who: str, token: str, ticket_id: str, quantity: int = 1) -> Any:
    order: Any = None

    def hold() -> str:
        nonlocal order
        body = {"ticketId": ticket_id, "quantity": quantity}
        order = scenario.expect(201, "POST", "/api/orders", token, json=body)
        return f"201, {order['status']}" + (f", seats {order['seats']}" if quantity > 1 else "")

    scenario.step(f"{who} holds {'it' if quantity == 1 else f'{quantity} seats'}", hold)
    return order


def _pay(scenario: _Scenario, token: str, order_id: str) -> str:
    body = {"orderId": order_id, "paymentMethodId": "pm_card_visa"}
    return f"201, {scenario.expect(201, 'POST', '/api/payments', token, json=body)['status']}"


def _sold(scenario: _Scenario) -> None:
    console.print("\n[bold]A ticket is sold once[/]")
    seller, first, second = (_account(scenario, who) for who in ("seller", "first buyer", "second buyer"))
    ticket_id = _listed(scenario, seller, 25.5)
    order = _held(scenario, "first buyer", first, ticket_id)
    order_path = f"/api/orders/{order['id']}"

    def refuse(status: int, method: str, path: str, token: str, **arguments: Any) -> Callable[[], str]:
        def call() -> str:
            problem = scenario.expect(status, method, path, token, **arguments)
            return f"{status}, {problem['title']}"[:34]

        return call

    def shown_held() -> str:
        scenario.wait(f"/api/tickets/{ticket_id}", None, {"status": "held"})
        return "held"

    scenario.step("the ticket is shown as held", shown_held)
    taken = {"ticketId": ticket_id}
    scenario.step("second buyer is refused", refuse(409, "POST", "/api/orders", second, json=taken))
    scenario.step("seller cannot buy their own ticket", refuse(403, "POST", "/api/orders", seller, json=taken))
    edit = {"title": "More expensive now", "price": 99}
    scenario.step("seller cannot edit the ticket", refuse(409, "PUT", f"/api/tickets/{ticket_id}", seller, json=edit))
    scenario.step("second buyer cannot see the order", refuse(403, "GET", order_path, second))
    declined = {"orderId": order["id"], "paymentMethodId": "pm_card_chargeCustomerFail"}
    scenario.step("a card is declined, the hold stays", refuse(402, "POST", "/api/payments", first, json=declined))
    scenario.step("first buyer pays with another card", lambda: _pay(scenario, first, order["id"]))

    def complete() -> str:
        return f"complete, {scenario.wait(order_path, first, {'status': 'complete'})['ticket']['price']:.2f}"

    def sold() -> str:
        return str(scenario.wait(f"/api/tickets/{ticket_id}", None, {"status": "sold"})["status"])

    scenario.step("the order is complete", complete)
    scenario.step("the ticket is shown as sold", sold)
    scenario.mailed("first buyer", first, "Your tickets")
    scenario.mailed("seller", seller, "Sold")
    again = {"orderId": order["id"], "paymentMethodId": "pm_card_visa"}
    scenario.step("paying twice is refused", refuse(409, "POST", "/api/payments", first, json=again))
    scenario.step("a paid order cannot be cancelled", refuse(409, "DELETE", order_path, first))


def _shared(scenario: _Scenario) -> None:
    console.print("\n[bold]A listing of five seats is shared[/]")
    seller, family, couple = (_account(scenario, who) for who in ("seller", "family", "couple"))
    ticket_id = _listed(scenario, seller, 20, quantity=5)
    order = _held(scenario, "family", family, ticket_id, 4)

    def too_many() -> str:
        wanted = {"ticketId": ticket_id, "quantity": 2}
        problem = scenario.expect(409, "POST", "/api/orders", couple, json=wanted)
        return f"409, {problem['available']} available"

    scenario.step("couple is told how many are left", too_many)
    _held(scenario, "couple", couple, ticket_id)

    def shown(available: int, status: str) -> Callable[[], str]:
        def look() -> str:
            scenario.wait(f"/api/tickets/{ticket_id}", None, {"available": available, "status": status})
            return f"{status}, {available} available"

        return look

    scenario.step("all five are taken", shown(0, "held"))
    scenario.step("family pays for four", lambda: _pay(scenario, family, order["id"]))

    def complete() -> str:
        found = scenario.wait(f"/api/orders/{order['id']}", family, {"status": "complete"})
        return f"complete, {found['total']:.2f}"

    scenario.step("the order is complete", complete)


def _expired(scenario: _Scenario, window_seconds: int) -> None:
    console.print(f"\n[bold]The ticket of an unpaid hold is free again[/] [dim](after {window_seconds} s)[/]")
    seller, idle, quick = (_account(scenario, who) for who in ("seller", "idle buyer", "quick buyer"))
    ticket_id = _listed(scenario, seller, 40)
    order = _held(scenario, "idle buyer", idle, ticket_id)

    def expires() -> str:
        found = scenario.wait(
            f"/api/orders/{order['id']}", idle, {"status": "cancelled"}, window_seconds + WAIT_SECONDS
        )
        late = datetime.now(UTC) - datetime.fromisoformat(found["expiresAt"])
        if found["reason"] != "expired" or late.total_seconds() < 0:
            raise ScenarioError(f"cancelled for {found['reason']!r}, {late.total_seconds():.2f} s after the deadline")
        return f"expired, seen {late.total_seconds() * 1000:.0f} ms after the deadline"

    def free() -> str:
        return str(scenario.wait(f"/api/tickets/{ticket_id}", None, {"status": "available"})["status"])

    def late_payment() -> str:
        body = {"orderId": order["id"], "paymentMethodId": "pm_card_visa"}
        scenario.expect(409, "POST", "/api/payments", idle, json=body)
        return "409"

    scenario.step("the unpaid hold expires", expires)
    scenario.step("the ticket is free again", free)
    scenario.mailed("idle buyer", idle, "Your hold has expired")
    scenario.step("paying for the expired hold is refused", late_payment)
    second = _held(scenario, "quick buyer", quick, ticket_id)
    scenario.step("quick buyer pays", lambda: _pay(scenario, quick, second["id"]))

    def sold() -> str:
        scenario.wait(f"/api/orders/{second['id']}", quick, {"status": "complete"})
        return str(scenario.wait(f"/api/tickets/{ticket_id}", None, {"status": "sold"})["status"])

    scenario.step("the ticket is sold to another buyer", sold)
