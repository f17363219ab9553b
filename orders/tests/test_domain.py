from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketing_common.entity import new_id, utc_now
from ticketing_common.errors import ConflictError, ForbiddenError, PermanentError, UnavailableError
from ticketing_common.events import OrderReason, OrderStatus
from ticketing_orders.domain import ACTIVE_STATUSES, TRANSITIONS, Order
from ticketing_orders.errors import (
    EventBegunError,
    OrderForbiddenError,
    OrderNotDueError,
    OrderTransitionError,
    TicketOwnedError,
)

pytestmark = pytest.mark.unit

PAYMENT: Final = "a" * 24
OTHER_PAYMENT: Final = "b" * 24
LATER: Final = timedelta(hours=1)

FACTS: Final[dict[str, Callable[[Order], bool]]] = {
    "cancel": lambda order: order.cancel(),
    "complete": lambda order: order.complete(PAYMENT),
    "complete by another payment": lambda order: order.complete(OTHER_PAYMENT),
    "payment fails": lambda order: order.fail_payment(PAYMENT),
    "another payment fails": lambda order: order.fail_payment(OTHER_PAYMENT),
    "expire": lambda order: order.expire(order.expires_at, now=order.expires_at),
    "expire too early": lambda order: order.expire(order.expires_at, now=order.expires_at - LATER),
    "expire an older deadline": lambda order: order.expire(order.expires_at - LATER, now=order.expires_at),
    "lose the ticket": lambda order: order.lose_ticket(),
    "lose the event": lambda order: order.lose_event(),
    "refund": lambda order: order.refund(),
    "payment goes back": lambda order: order.lose_payment(PAYMENT),
    "another payment goes back": lambda order: order.lose_payment(OTHER_PAYMENT),
}
AFTER_PAYMENT: Final = (OrderReason.PAYMENT_FAILED, OrderReason.REFUNDED)
facts = st.lists(st.sampled_from(sorted(FACTS)), max_size=12)


def state(order: Order) -> tuple[OrderStatus, OrderReason | None, str | None]:
    return order.status, order.reason, order.payment_id


def happen(order: Order, fact: str) -> bool | None:
    """What the fact answered; None when it was refused."""
    try:
        return FACTS[fact](order)
    except (OrderTransitionError, OrderNotDueError):
        return None


@given(facts)
def test_an_order_makes_only_transitions_of_the_table(make_order, happened):
    order = make_order()
    for fact in happened:
        before = order.status
        changed = happen(order, fact)
        if changed:
            assert order.reason in TRANSITIONS[before, order.status]
        else:
            assert order.status is before


@given(facts)
def test_what_is_refused_or_too_late_changes_nothing(make_order, happened):
    order = make_order()
    for fact in happened:
        before = deepcopy(order)
        if not happen(order, fact):
            assert order == before


@given(facts, st.sampled_from(sorted(FACTS)))
def test_the_same_fact_twice_is_the_same_as_once(make_order, happened, fact):
    order = make_order()
    for earlier in happened:
        happen(order, earlier)
    happen(order, fact)
    before = state(order)
    assert not happen(order, fact)
    assert state(order) == before


@given(facts)
def test_reason_and_payment_agree_with_the_status(make_order, happened):
    order = make_order()
    for fact in happened:
        happen(order, fact)
        assert (order.reason is not None) == (order.status is OrderStatus.CANCELLED)
        paid_once = order.status is OrderStatus.COMPLETE or order.reason in AFTER_PAYMENT
        if order.reason is not OrderReason.EVENT_CANCELLED:  # which ends paid and unpaid orders
            assert (order.payment_id is not None) == paid_once


@given(facts)
def test_a_cancelled_order_never_has_the_ticket_again(make_order, happened):
    order = make_order()
    gone = False
    for fact in happened:
        happen(order, fact)
        gone = gone or order.status not in ACTIVE_STATUSES
        assert gone == (order.status is OrderStatus.CANCELLED)


def test_every_step_of_the_table_can_be_reached(make_order):
    walks = (
        *(["complete", "payment fails"], ["complete", "refund"], ["complete", "payment goes back"]),
        *(["complete", "lose the event"], ["lose the event"], ["cancel"], ["expire"], ["lose the ticket"]),
    )
    reached = set()
    for walk in walks:
        order = make_order()
        for fact in walk:
            before = order.status
            assert happen(order, fact)
            reached.add((before, order.status, order.reason))
    assert reached == {(*step, reason) for step, reasons in TRANSITIONS.items() for reason in reasons}


def test_an_order_keeps_the_ticket_as_it_was_seen(make_ticket):
    ticket = make_ticket(title="Gala", price_cents=1_999)
    order = Order.place(ticket, user_id=new_id(), window_seconds=900)
    assert (order.ticket.id, order.ticket.title, order.ticket.price_cents) == (ticket.id, "Gala", 1_999)
    assert (order.status, order.reason, order.payment_id) == (OrderStatus.CREATED, None, None)


def test_the_window_begins_when_the_order_is_placed(make_ticket):
    order = Order.place(make_ticket(), user_id=new_id(), window_seconds=900)
    assert order.expires_at - order.created_at == timedelta(seconds=900)


def test_sellers_cannot_buy_their_own_ticket(make_ticket):
    ticket = make_ticket()
    with pytest.raises(TicketOwnedError) as refused:
        Order.place(ticket, user_id=ticket.user_id, window_seconds=900)
    assert isinstance(refused.value, ForbiddenError)


def test_an_order_is_only_its_buyers(make_order):
    order = make_order()
    order.check_owner(order.user_id)
    with pytest.raises(OrderForbiddenError):
        order.check_owner(new_id())


def test_a_paid_order_cannot_be_cancelled_by_the_buyer(make_order):
    order = make_order()
    order.complete(PAYMENT)
    with pytest.raises(OrderTransitionError) as refused:
        order.cancel()
    assert isinstance(refused.value, ConflictError)
    assert order.status is OrderStatus.COMPLETE


def test_a_payment_for_a_cancelled_order_comes_too_late(make_order):
    order = make_order()
    order.cancel()
    assert order.complete(PAYMENT) is False
    assert state(order) == (OrderStatus.CANCELLED, OrderReason.BUYER, None)


def test_a_second_payment_of_a_paid_order_is_refused_for_good(make_order):
    order = make_order()
    order.complete(PAYMENT)
    with pytest.raises(OrderTransitionError) as refused:
        order.complete(OTHER_PAYMENT)
    assert isinstance(refused.value, PermanentError)
    assert order.payment_id == PAYMENT


def test_a_declined_attempt_leaves_an_unpaid_order_alone(make_order):
    order = make_order()
    assert order.fail_payment(PAYMENT) is False
    assert order.status is OrderStatus.CREATED


def test_a_failed_capture_ends_the_order_that_it_had_completed(make_order):
    order = make_order()
    order.complete(PAYMENT)
    assert order.fail_payment(OTHER_PAYMENT) is False
    assert order.fail_payment(PAYMENT) is True
    assert state(order) == (OrderStatus.CANCELLED, OrderReason.PAYMENT_FAILED, PAYMENT)


def test_no_hold_ends_early_because_a_clock_elsewhere_is_ahead(make_order):
    order = make_order()
    with pytest.raises(OrderNotDueError) as refused:
        order.expire(order.expires_at, now=utc_now())
    assert isinstance(refused.value, UnavailableError)
    assert order.status is OrderStatus.CREATED


def test_a_hold_ends_at_its_deadline_exactly(make_order):
    order = make_order()
    assert order.expire(order.expires_at, now=order.expires_at) is True
    assert state(order) == (OrderStatus.CANCELLED, OrderReason.EXPIRED, None)


def test_a_deadline_before_the_orders_own_changes_nothing(make_order):
    order = make_order(due=True)
    assert order.expire(order.expires_at - timedelta(milliseconds=1), now=utc_now()) is False
    assert order.status is OrderStatus.CREATED


def test_a_paid_order_neither_expires_nor_loses_its_ticket(make_order):
    order = make_order(due=True)
    order.complete(PAYMENT)
    assert order.expire(order.expires_at, now=utc_now()) is False
    assert order.lose_ticket() is False
    assert order.status is OrderStatus.COMPLETE


def test_a_ticket_is_sold_until_its_event_begins(make_order, make_ticket):
    assert make_order(make_ticket(starts_at=utc_now() + LATER)).ticket.starts_at > utc_now()
    for begun in (utc_now(), utc_now() - LATER):
        with pytest.raises(EventBegunError):
            make_order(make_ticket(starts_at=begun))


def test_a_hold_placed_in_time_may_be_paid_after_the_event_began(make_order, make_ticket):
    order = make_order(make_ticket(starts_at=utc_now() + LATER))
    order.ticket = replace(order.ticket, starts_at=utc_now() - LATER)
    assert order.complete(PAYMENT)
    assert order.status is OrderStatus.COMPLETE
