from collections.abc import Callable
from datetime import timedelta

import pytest

from ticketing_common.entity import utc_now
from ticketing_common.events import (
    OrderCancelled,
    OrderCompleted,
    OrderCreated,
    OrderEvent,
    OrderReason,
    OrderStatus,
    parse_event,
)
from ticketing_orders.domain import Order
from ticketing_orders.publishers import order_cancelled, order_completed, order_created, order_republished

from .conftest import MakeOrder, MakeTicket

pytestmark = pytest.mark.unit

NEXT_YEAR = utc_now() + timedelta(days=365)


def test_a_created_order_is_published_in_full(make_order: MakeOrder, make_ticket: MakeTicket) -> None:
    order = make_order(make_ticket(venue="Opera", starts_at=NEXT_YEAR, quantity=200))
    order.version, order.seats = 1, (3, 4)
    event = order_created(order)
    assert isinstance(event, OrderCreated)
    assert event.nats_subject == f"order.created.{order.id}"
    assert event.source == "/orders"
    assert event.data.model_dump() == {
        "id": order.id,
        "version": 1,
        "status": OrderStatus.CREATED,
        "reason": None,
        "user_id": order.user_id,
        "expires_at": order.expires_at,
        "created_at": order.created_at,
        "changed_at": order.updated_at,
        "payment_id": None,
        "ticket": {
            "id": order.ticket.id,
            "title": "Opening night",
            "price_cents": 2_550,
            "currency": "usd",
            "venue": "Opera",
            "starts_at": NEXT_YEAR,
            "quantity": 200,
            "user_id": order.ticket.user_id,
        },
        "seats": (3, 4),
        "refunded_cents": 0,
        "disputed": False,
    }


def test_a_completed_order_names_the_payment_that_may_be_captured(make_order: MakeOrder) -> None:
    order = make_order()
    order.complete("a" * 24)
    order.version = 2
    event = order_completed(order)
    assert isinstance(event, OrderCompleted)
    assert (event.data.status, event.data.payment_id, event.data.version) == (OrderStatus.COMPLETE, "a" * 24, 2)


def test_a_cancelled_order_says_why(make_order: MakeOrder) -> None:
    order = make_order()
    order.cancel()
    order.version = 2
    event = order_cancelled(order)
    assert isinstance(event, OrderCancelled)
    assert (event.data.status, event.data.reason) == (OrderStatus.CANCELLED, OrderReason.BUYER)


@pytest.mark.parametrize("publisher", [order_created, order_completed, order_cancelled])
def test_a_published_event_can_be_parsed_from_its_json(
    make_order: MakeOrder, publisher: Callable[[Order], OrderEvent]
) -> None:
    order = make_order()
    order.version = 1
    event = publisher(order)
    assert parse_event(event.nats_subject, event.to_json()) == event


@pytest.mark.parametrize(
    ("status", "event"),
    [
        (OrderStatus.CREATED, OrderCreated),
        (OrderStatus.COMPLETE, OrderCompleted),
        (OrderStatus.CANCELLED, OrderCancelled),
    ],
)
def test_a_republished_event_has_the_current_state(
    make_order: MakeOrder, status: OrderStatus, event: type[OrderEvent]
) -> None:
    order = make_order()
    order.version, order.status = 3, status
    published = order_republished(order)
    assert isinstance(published, event)
    assert (published.data.version, published.data.status) == (3, status)
