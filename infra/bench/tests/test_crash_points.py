"""A service that dies at one exact boundary of its work is started again, and the sale ends as it must."""

import contextlib
from collections.abc import Iterator
from typing import Final

import httpx
import pytest

from ticketing_bench.stacks import make_stack

from .crash_market import SOLD, Market, given_up

pytestmark = pytest.mark.flow

WINDOW_SECONDS: Final = 300
"""Of a hold that is to be paid: longer than a service takes to start again on a busy machine."""
SHORT_WINDOW_SECONDS: Final = 10
"""Of a hold that is to expire."""


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    """Whose holds last for as long as a test takes."""
    with running(tmp_path_factory, WINDOW_SECONDS) as market:
        yield market


@pytest.fixture(scope="module")
def market_of_short_holds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    """Whose holds expire while a test waits for it."""
    with running(tmp_path_factory, SHORT_WINDOW_SECONDS) as market:
        yield market


@contextlib.contextmanager
def running(tmp_path_factory: pytest.TempPathFactory, window_seconds: int) -> Iterator[Market]:
    stack = make_stack(tmp_path_factory.mktemp("stack"), window_seconds=window_seconds)
    with stack.data.locked(), httpx.Client(timeout=20) as http:
        stack.start(lambda _name, _what: None)
        try:
            yield Market(stack, tmp_path_factory.mktemp("points"), http)
        finally:
            stack.stop()


@pytest.mark.parametrize(("name", "point"), [("tickets", "after_commit"), ("tickets", "after_publish")])
def test_a_listing_can_be_bought_whenever_a_service_dies(market: Market, name: str, point: str) -> None:
    process = market.arm(name, point)
    with contextlib.suppress(httpx.TransportError):  # the answer dies with tickets, the listing does not
        market.sell()
    market.restart(process)
    ticket_id = market.api.call("GET", "/api/tickets/mine", market.seller).json()[0]["id"]
    market.hold(ticket_id)
    market.buys(ticket_id)
    assert market.ends(ticket_id) == SOLD


@pytest.mark.parametrize(
    ("name", "point"),
    [
        ("orders", "after_commit"),
        ("orders", "after_publish"),
        ("expiration", "before_ack"),
    ],
)
def test_a_hold_that_was_placed_while_a_service_died_can_be_paid(market: Market, name: str, point: str) -> None:
    ticket_id = market.sell()
    process = market.arm(name, point)
    market.hold(ticket_id)
    market.restart(process)
    market.buys(ticket_id)
    assert market.ends(ticket_id) == SOLD


@pytest.mark.parametrize(
    ("name", "point"),
    [
        ("orders", "after_commit"),
        ("orders", "before_ack"),
        ("payments", "after_publish"),
        ("payments", "after_stripe_capture"),
        ("payments", "before_ack"),
        ("tickets", "before_ack"),
    ],
)
def test_what_was_paid_is_captured_once_whenever_a_service_dies(market: Market, name: str, point: str) -> None:
    ticket_id = market.sell()
    market.hold(ticket_id)
    order = market.order_of(ticket_id)
    assert order is not None
    process = market.arm(name, point)
    paid = market.pay(order["id"])
    assert paid is None or paid.status_code == 201, paid.text
    market.restart(process)
    assert market.ends(ticket_id) == SOLD


def test_what_was_paid_is_captured_though_its_deadline_passes_before_orders_is_told_again(
    market_of_short_holds: Market,
) -> None:
    """orders dies with the payment's event in hand; the broker brings it again when the hold has run out."""
    test_what_was_paid_is_captured_once_whenever_a_service_dies(market_of_short_holds, "orders", "before_handling")


LOST_ANSWERS = ["after_stripe_create", "after_stripe_confirm", "after_commit"]


def lose_the_answer(market: Market, point: str) -> tuple[str, str]:
    """The ticket and the order of a payment during which the service died; it is back."""
    ticket_id = market.sell()
    market.hold(ticket_id)
    order = market.order_of(ticket_id)
    assert order is not None
    process = market.arm("payments", point)
    assert market.pay(order["id"]) is None
    market.restart(process)
    return ticket_id, order["id"]


@pytest.mark.parametrize("point", LOST_ANSWERS)
def test_a_buyer_who_asks_again_after_a_lost_answer_has_the_ticket(market: Market, point: str) -> None:
    ticket_id, order_id = lose_the_answer(market, point)
    paid = market.pay(order_id)
    assert paid is not None
    assert paid.status_code in (201, 409), paid.text  # 409: it is paid already
    assert market.ends(ticket_id) == SOLD


@pytest.mark.parametrize("point", LOST_ANSWERS)
def test_a_payment_whose_answer_was_lost_ends_also_without_the_buyer(market_of_short_holds: Market, point: str) -> None:
    """Who goes away has bought the ticket, or keeps all of the money."""
    ticket_id, _ = lose_the_answer(market_of_short_holds, point)
    assert market_of_short_holds.ends(ticket_id) in (SOLD, given_up("expired", "voided"))


def test_money_is_let_go_although_payments_dies_when_stripe_has_done_so(market: Market) -> None:
    ticket_id = market.sell()
    market.hold(ticket_id)
    order = market.order_of(ticket_id)
    assert order is not None
    begun = market.pay(order["id"], card=None)
    assert begun is not None
    assert begun.json()["status"] == "requires_action"
    process = market.arm("payments", "after_stripe_cancel")
    cancelled = market.ask("DELETE", f"/api/orders/{order['id']}")
    assert cancelled is not None
    assert cancelled.status_code == 204
    market.restart(process)
    assert market.ends(ticket_id) == given_up("buyer", "voided")


@pytest.mark.parametrize(("name", "point"), [("worker", "after_commit"), ("worker", "after_publish")])
def test_a_hold_that_nobody_paid_ends_whenever_a_service_dies(
    market_of_short_holds: Market, name: str, point: str
) -> None:
    market = market_of_short_holds
    ticket_id = market.sell()
    market.hold(ticket_id)
    market.restart(market.arm(name, point))
    assert market.ends(ticket_id) == given_up("expired")
