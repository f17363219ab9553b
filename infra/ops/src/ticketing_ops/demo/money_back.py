"""The part of the demo in which the seller returns money."""

from collections.abc import Callable

from ticketing_ops.console import console

from .scenario import Scenario, hold, list_seats, pay, sign_up


def call_off(scenario: Scenario) -> None:
    """One order is refunded, then the event is called off."""
    console.print("\n[bold]Money goes back: one order is refunded, then the event is called off[/]")
    seller, one, other = (sign_up(scenario, who) for who in ("seller", "one buyer", "other buyer"))
    ticket_id = list_seats(scenario, seller, 30, quantity=5)
    bought = {}
    for who, token in (("one buyer", one), ("other buyer", other)):
        order = hold(scenario, who, token, ticket_id, 2)
        payment: dict[str, str] = {}

        def capture(token: str = token, order_id: str = order["id"], payment: dict[str, str] = payment) -> str:
            payment.update(pay(scenario, token, order_id))
            scenario.wait(f"/api/payments/{payment['id']}", token, {"status": "captured"})
            return "captured"

        scenario.step(f"{who} pays", capture)
        bought[token] = (f"/api/orders/{order['id']}", f"/api/payments/{payment['id']}")

    def ended(token: str, reason: str) -> Callable[[], str]:
        def check() -> str:
            order_path, payment_path = bought[token]
            scenario.wait(order_path, token, {"status": "cancelled", "reason": reason})
            paid = scenario.wait(payment_path, token, {"status": "refunded"})
            return f"{reason}, {paid['refundedAmount']:.2f} back"

        return check

    def refund() -> str:
        return f"202, {scenario.expect(202, 'POST', f'{bought[one][0]}/refund', seller)['reason']}"

    def cancel() -> str:
        return f"200, {scenario.expect(200, 'POST', f'/api/tickets/{ticket_id}/cancel', seller)['status']}"

    scenario.step("seller refunds one buyer", refund)
    scenario.step("one buyer has the money back", ended(one, "refunded"))
    hold(scenario, "one buyer", one, ticket_id)
    scenario.step("seller calls the event off", cancel)
    scenario.step("other buyer has the money back", ended(other, "event_cancelled"))

    def refused() -> str:
        return f"409, {scenario.expect(409, 'POST', '/api/orders', one, json={'ticketId': ticket_id})['title']}"

    scenario.step("no further seat is held", refused)
