"""A listing of many seats: its counts, its status, and what its seller may change."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import TicketStatus
from ticketing_tickets.domain import Taken, Ticket, TicketDetails, check_price
from ticketing_tickets.errors import FieldFixedError, TicketReservedError, TotalTooHighError

pytestmark = pytest.mark.unit

AVAILABLE, HELD, SOLD, DELETED = (TicketStatus(name) for name in ("available", "held", "sold", "deleted"))


@pytest.fixture
def many() -> Ticket:
    """Ten seats."""
    return Ticket(
        user_id=new_id(), title="Rows 1 to 3", price_cents=1_999, currency="usd", quantity=10, highest_seat=10
    )


@pytest.mark.parametrize(
    ("held", "sold", "status", "free"),
    [
        (0, 0, AVAILABLE, 10),
        (3, 0, AVAILABLE, 7),
        (3, 6, AVAILABLE, 1),
        (0, 9, AVAILABLE, 1),
        (10, 0, HELD, 0),
        (1, 9, HELD, 0),
        (0, 10, SOLD, 0),
        (2, 10, SOLD, 0),  # the events of two orders' ends have not arrived yet
        (12, 0, HELD, 0),
    ],
)
def test_the_status_follows_from_the_counts(
    many: Ticket, held: int, sold: int, status: TicketStatus, free: int
) -> None:
    many.follow(Taken(held=held, sold=sold))
    assert (many.status, many.free_seats) == (status, free)
    assert many.taken <= many.quantity
    assert not many.follow(Taken(held=held, sold=sold)), "nothing has changed"


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=10))
def test_the_last_counts_decide_whatever_came_before(steps: list[tuple[int, int]]) -> None:
    walked, fresh = (
        Ticket(id="a" * 24, user_id="b" * 24, title="x", price_cents=99, currency="usd", quantity=10, highest_seat=10)
        for _ in range(2)
    )
    for held, sold in steps:
        walked.follow(Taken(held=held, sold=sold))
    for held, sold in steps[-1:]:
        fresh.follow(Taken(held=held, sold=sold))
    assert replace(walked, updated_at=fresh.updated_at, created_at=fresh.created_at) == fresh


def test_everything_may_change_while_no_seat_is_taken(many: Ticket) -> None:
    details = TicketDetails(
        title="Row 1", price_cents=99, venue="Opera", starts_at=utc_now() + timedelta(days=1), quantity=4
    )
    assert many.edit(many.user_id, details, now=utc_now())
    assert many.details == details
    assert (many.quantity, many.highest_seat, many.free_seats) == (4, 10, 4)


def test_price_description_and_quantity_may_change_while_seats_are_taken(many: Ticket) -> None:
    many.follow(Taken(held=1, sold=2))
    for quantity, free in ((11, 8), (3, 0), (4, 1)):
        details = replace(many.details, price_cents=100 + quantity, description="Cheaper", quantity=quantity)
        assert many.edit(many.user_id, details, now=utc_now())
        assert (many.free_seats, many.status) == (free, AVAILABLE if free else HELD)
    assert many.highest_seat == 11


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": "Another"}, "title"),
        ({"venue": "Elsewhere"}, "venue"),
        ({"starts_at": utc_now() + timedelta(days=9)}, "startsAt"),
        ({"quantity": 2}, "quantity"),
    ],
)
def test_what_buyers_have_bought_is_not_changed_and_the_refusal_names_the_field(
    many: Ticket, change: dict[str, object], field: str
) -> None:
    many.follow(Taken(held=1, sold=2))
    before = many.details
    with pytest.raises(FieldFixedError) as refused:
        many.edit(many.user_id, replace(before, **change), now=utc_now())  # type: ignore[arg-type]
    assert [error.field for error in refused.value.errors] == [field]
    assert many.id not in refused.value.errors[0].message, "a form shows it beside the field"
    assert many.details == before


@pytest.mark.parametrize(
    ("taken", "message"),
    [
        (2, "Input should be at least 2: 2 seats are held or sold"),
        (1, "Input should be at least 1: 1 seat is held or sold"),
    ],
)
def test_a_quantity_that_is_too_low_is_refused_with_the_least_one(taken: int, message: str) -> None:
    error = FieldFixedError("a" * 24, "quantity", least=taken)
    assert [refusal.message for refusal in error.errors] == [message]


def test_an_edit_without_a_quantity_keeps_the_seats(many: Ticket) -> None:
    many.follow(Taken(sold=2))
    assert many.edit(many.user_id, replace(many.details, price_cents=1_000, quantity=None), now=utc_now())
    assert many.quantity == 10


def test_a_listing_is_deleted_only_while_no_seat_is_taken(many: Ticket) -> None:
    many.follow(Taken(held=1))
    with pytest.raises(TicketReservedError):
        many.delete(many.user_id)
    many.follow(Taken())
    many.delete(many.user_id)
    assert (many.status, many.free_seats) == (DELETED, 0)


def test_late_orders_of_a_deleted_listing_get_the_deletion_before_it_is_shown_as_sold(many: Ticket) -> None:
    many.delete(many.user_id)
    assert many.follow(Taken(held=3, sold=2, unpaid={"a": 1, "b": 1}))
    assert many.status is DELETED
    assert not many.follow(Taken(held=3, sold=2, unpaid={"a": 1, "b": 1}))
    assert many.follow(Taken(held=4, sold=2, unpaid={"a": 1, "b": 1, "c": 1}))
    assert many.status is DELETED, "as long as one is unpaid: that is what ends it"
    assert many.follow(Taken(sold=2))
    assert (many.status, many.quantity, many.free_seats) == (SOLD, 2, 0), "and no further seat is for sale"
    assert many.follow(Taken())
    assert many.status is DELETED


def test_a_quantity_that_was_lowered_too_late_follows_what_orders_has_decided(many: Ticket) -> None:
    many.follow(Taken(held=3))
    many.edit(many.user_id, replace(many.details, quantity=3), now=utc_now())
    assert many.status is HELD
    assert many.follow(Taken(held=5, from_before=5))
    assert (many.quantity, many.status) == (5, HELD)


def test_an_end_that_is_known_late_does_not_raise_a_lowered_quantity(many: Ticket) -> None:
    """The seat of an order that has ended was sold again, and the new order is known first."""
    many.follow(Taken(held=3))
    many.edit(many.user_id, replace(many.details, quantity=3), now=utc_now())
    assert not many.follow(Taken(held=4, from_before=3))
    assert (many.quantity, many.held) == (3, 3)


def test_what_all_seats_cost_can_be_charged() -> None:
    check_price(99_999_999, "usd")
    check_price(4_999, "usd", 20_000)
    for price, quantity, field in ((100_000_000, 1, "price"), (5_000, 20_000, "quantity"), (50_000_000, 2, "quantity")):
        with pytest.raises(TotalTooHighError) as refused:
            check_price(price, "usd", quantity)
        assert [error.field for error in refused.value.errors] == [field]
