"""The parts of the demo about holds: one seat, several seats, and a hold that runs out."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ticketing_ops.console import console

from .admission import admit
from .scenario import WAIT_SECONDS, Scenario, ScenarioError, hold, list_seats, pay_step, sign_up


def sell_one(scenario: Scenario) -> None:
    """A seat is held, paid and sold; others are refused."""
    console.print("\n[bold]A ticket is sold once[/]")
    seller, first, second = (sign_up(scenario, who) for who in ("seller", "first buyer", "second buyer"))
    ticket_id = list_seats(scenario, seller, 25.5)
    order = hold(scenario, "first buyer", first, ticket_id)
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
    pay_step(scenario, "first buyer pays with another card", first, order["id"])

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


def share_listing(scenario: Scenario) -> None:
    """Five seats are held by two buyers; one pays, and enters."""
    console.print("\n[bold]A listing of five seats is shared[/]")
    seller, family, couple = (sign_up(scenario, who) for who in ("seller", "family", "couple"))
    ticket_id = list_seats(scenario, seller, 20, quantity=5)
    order = hold(scenario, "family", family, ticket_id, 4)

    def too_many() -> str:
        wanted = {"ticketId": ticket_id, "quantity": 2}
        problem = scenario.expect(409, "POST", "/api/orders", couple, json=wanted)
        return f"409, {problem['available']} available"

    scenario.step("couple is refused, with the number of seats that are left", too_many)
    hold(scenario, "couple", couple, ticket_id)

    def shown(available: int, status: str) -> Callable[[], str]:
        def check() -> str:
            scenario.wait(f"/api/tickets/{ticket_id}", None, {"available": available, "status": status})
            return f"{status}, {available} available"

        return check

    scenario.step("all five are taken", shown(0, "held"))
    pay_step(scenario, "family pays for four", family, order["id"])

    def complete() -> str:
        found = scenario.wait(f"/api/orders/{order['id']}", family, {"status": "complete"})
        return f"complete, {found['total']:.2f}"

    scenario.step("the order is complete", complete)
    admit(scenario, seller, family, order, ticket_id)


def let_expire(scenario: Scenario, window_seconds: int) -> None:
    """An unpaid hold ends, and the seat is sold to another buyer."""
    console.print(f"\n[bold]The ticket of an unpaid hold is free again[/] [dim](after {window_seconds} s)[/]")
    seller, idle, quick = (sign_up(scenario, who) for who in ("seller", "idle buyer", "quick buyer"))
    ticket_id = list_seats(scenario, seller, 40)
    order = hold(scenario, "idle buyer", idle, ticket_id)

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
    second = hold(scenario, "quick buyer", quick, ticket_id)
    pay_step(scenario, "quick buyer pays", quick, second["id"])

    def sold() -> str:
        scenario.wait(f"/api/orders/{second['id']}", quick, {"status": "complete"})
        return str(scenario.wait(f"/api/tickets/{ticket_id}", None, {"status": "sold"})["status"])

    scenario.step("the ticket is sold to another buyer", sold)
