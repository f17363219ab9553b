"""The memory of who has a ticket: what it believes, for how long, and what comes late."""

from datetime import timedelta
from typing import Final

import pytest

from ticketing_common.entity import new_id, utc_now
from ticketing_orders.domain import Order
from ticketing_orders.hold_cache import FRESH_SECONDS, REMEMBERED, HoldCache

pytestmark = pytest.mark.unit


SELLER: Final = new_id()


def is_held(held: HoldCache, order: Order, user_id: str | None = None) -> bool:
    return held.is_held_by_another(order.ticket.id, user_id=user_id or new_id())


def stored(order: Order) -> Order:
    order.version += 1
    return order


def test_everybody_but_the_holder_is_refused(make_order):
    held, order = HoldCache(), stored(make_order())
    assert not is_held(held, order)
    held.see(order, seller_id=SELLER)
    assert is_held(held, order)
    assert not is_held(held, order, order.user_id)


def test_the_seller_is_sent_on_and_who_that_is_stays_known(make_order):
    held, order = HoldCache(), stored(make_order())
    held.see(order)
    assert not is_held(held, order), "anybody might be the seller"
    held.see(order, seller_id=SELLER)
    assert is_held(held, order)
    assert not is_held(held, order, SELLER)
    order.complete(new_id())
    held.see(stored(order))
    assert is_held(held, order)
    assert not is_held(held, order, SELLER), "the event does not name the seller"


def test_a_paid_ticket_stays_held_and_a_cancelled_one_is_free(make_order):
    held, paid, cancelled = HoldCache(), stored(make_order()), stored(make_order())
    for order in (paid, cancelled):
        held.see(order, seller_id=SELLER)
    paid.complete(new_id())
    cancelled.cancel()
    for order in (paid, cancelled):
        held.see(stored(order))
    assert is_held(held, paid)
    assert not is_held(held, cancelled)


def test_what_is_told_late_does_not_bring_back_what_is_over(make_order, make_ticket):
    """Our own write is known at once, and comes back as an event when the order may have ended."""
    held, ticket = HoldCache(), make_ticket()
    first = stored(make_order(ticket))
    late = Order(**vars(first))
    first.cancel()
    held.see(stored(first))
    held.see(late, seller_id=SELLER)
    assert not is_held(held, first)
    second = stored(make_order(ticket))
    second.created_at = first.created_at + timedelta(milliseconds=5)
    held.see(second, seller_id=SELLER)
    held.see(first, seller_id=SELLER)
    assert is_held(held, second)
    assert not is_held(held, second, second.user_id)


def test_it_is_believed_for_a_second_from_when_it_was_true(make_order):
    held, order = HoldCache(), stored(make_order())
    held.see(order, seller_id=SELLER, as_of=utc_now() - timedelta(seconds=FRESH_SECONDS))
    assert not is_held(held, order)
    held.see(order, seller_id=SELLER)
    assert is_held(held, order), "seen again"
    held.see(order, seller_id=SELLER, as_of=utc_now() - timedelta(seconds=FRESH_SECONDS))
    assert is_held(held, order), "the older news changes nothing"


def test_a_clock_that_is_ahead_does_not_make_it_last_longer(make_order, monkeypatch):
    held, order = HoldCache(), stored(make_order())
    held.see(order, seller_id=SELLER, as_of=utc_now() + timedelta(hours=1))
    moment = held._seen[order.ticket.id].at
    monkeypatch.setattr("ticketing_orders.hold_cache.time.monotonic", lambda: moment + FRESH_SECONDS)
    assert not is_held(held, order)


def test_it_does_not_grow_without_end(make_order):
    held, order = HoldCache(), stored(make_order())
    held.see(order, seller_id=SELLER)
    for _ in range(REMEMBERED):
        held.see(stored(make_order()), seller_id=SELLER)
    assert len(held._seen) == REMEMBERED
    assert not is_held(held, order), "the oldest went"
