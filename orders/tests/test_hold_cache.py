"""The cache of ticket holders: its entries, how long they last, and late events."""

from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Final

import pytest

from ticketing_common.entity import new_id, utc_now
from ticketing_orders import hold_cache
from ticketing_orders.domain import Order
from ticketing_orders.hold_cache import FOLLOWED_SECONDS, FRESH_SECONDS, REMEMBERED, HoldCache

from .conftest import MakeOrder, MakeTicket

pytestmark = pytest.mark.unit


SELLER: Final = new_id()


@dataclass
class Clock:
    """The cache's clock, which only the test moves: an entry is not outdated because the machine was busy."""

    now: float = 1_000.0


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(hold_cache, "time", SimpleNamespace(monotonic=lambda: made.now))
    return made


def is_held(held: HoldCache, order: Order, user_id: str | None = None) -> bool:
    return held.is_held_by_another(order.ticket.id, user_id=user_id or new_id())


def stored(order: Order) -> Order:
    order.version += 1
    return order


def test_every_buyer_but_the_holder_is_refused(make_order: MakeOrder) -> None:
    held, order = HoldCache(), stored(make_order())
    assert not is_held(held, order)
    held.see(order, seller_id=SELLER)
    assert is_held(held, order)
    assert not is_held(held, order, order.user_id)


def test_the_seller_is_not_refused_and_stays_known(make_order: MakeOrder) -> None:
    held, order = HoldCache(), stored(make_order())
    held.see(order)
    assert not is_held(held, order), "any buyer might be the seller"
    held.see(order, seller_id=SELLER)
    assert is_held(held, order)
    assert not is_held(held, order, SELLER)
    order.complete(new_id())
    held.see(stored(order))
    assert is_held(held, order)
    assert not is_held(held, order, SELLER), "the event does not name the seller"


def test_a_paid_ticket_stays_held_and_a_cancelled_one_is_free(make_order: MakeOrder) -> None:
    held, paid, cancelled = HoldCache(), stored(make_order()), stored(make_order())
    for order in (paid, cancelled):
        held.see(order, seller_id=SELLER)
    paid.complete(new_id())
    cancelled.cancel()
    for order in (paid, cancelled):
        held.see(stored(order))
    assert is_held(held, paid)
    assert not is_held(held, cancelled)


def test_a_late_event_does_not_restore_an_ended_hold(make_order: MakeOrder, make_ticket: MakeTicket) -> None:
    """The replica records its own write immediately; the event of it may arrive after the order has ended."""
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


def test_an_entry_is_used_for_a_second_from_the_time_of_its_event(make_order: MakeOrder) -> None:
    held, order = HoldCache(), stored(make_order())
    held.see(order, seller_id=SELLER, as_of=utc_now() - timedelta(seconds=FRESH_SECONDS))
    assert not is_held(held, order)
    held.see(order, seller_id=SELLER)
    assert is_held(held, order), "seen again"
    held.see(order, seller_id=SELLER, as_of=utc_now() - timedelta(seconds=FRESH_SECONDS))
    assert is_held(held, order), "the older event changes nothing"


def test_a_clock_that_is_ahead_does_not_extend_an_entry(make_order: MakeOrder, clock: Clock) -> None:
    held, order = HoldCache(), stored(make_order())
    held.see(order, seller_id=SELLER, as_of=utc_now() + timedelta(hours=1))
    clock.now += FRESH_SECONDS
    assert not is_held(held, order)


def test_the_cache_has_a_size_limit(make_order: MakeOrder) -> None:
    held, order = HoldCache(), stored(make_order())
    held.see(order, seller_id=SELLER)
    for _ in range(REMEMBERED):
        held.see(stored(make_order()), seller_id=SELLER)
    assert len(held._seen) == REMEMBERED
    assert not is_held(held, order), "the oldest went"


def test_while_events_arrive_an_entry_stays_until_one_ends_it(make_order: MakeOrder, clock: Clock) -> None:
    followed = True
    held, order = HoldCache(lambda: followed), stored(make_order())
    moment = clock.now
    held.see(order, seller_id=SELLER)
    for seconds, expected in ((FRESH_SECONDS, True), (FOLLOWED_SECONDS - 1, True), (FOLLOWED_SECONDS + 1, False)):
        clock.now = moment + seconds
        assert is_held(held, order) is expected
    clock.now = moment + FRESH_SECONDS + 1
    followed = False
    assert not is_held(held, order), "events may be missing"
    followed = True
    held.clear()
    assert not is_held(held, order), "events were lost"
