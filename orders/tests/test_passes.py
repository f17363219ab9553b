"""The rules of passes, without a database."""

from copy import deepcopy
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketing_common.entity import new_id
from ticketing_common.events import OrderStatus
from ticketing_orders.domain import Order, TicketSnapshot
from ticketing_orders.errors import PassVoidError
from ticketing_orders.passes import PassStatus, check_admits, claims_of, pass_id, status_of

from .test_domain import FACTS, facts, happen

pytestmark = pytest.mark.unit

seat_sets = st.lists(st.integers(1, 20_000), min_size=1, max_size=10, unique=True).map(tuple)


def placed(seats: tuple[int, ...]) -> Order:
    starts_at = datetime(2031, 5, 1, 18, 30, 15, 250_000, tzinfo=UTC)
    ticket = TicketSnapshot(id=new_id(), title="Opening night", price_cents=2_550, currency="usd", starts_at=starts_at)
    return Order(user_id=new_id(), ticket=ticket, expires_at=starts_at, seats=seats)


def complete(seats: tuple[int, ...] = (1,)) -> Order:
    order = placed(seats)
    order.complete(new_id())
    return order


@given(seat_sets, seat_sets)
def test_each_seat_of_each_order_has_a_pass_of_its_own(seats: tuple[int, ...], others: tuple[int, ...]) -> None:
    first, second = placed(seats), placed(others)
    claims = [*claims_of(first), *claims_of(second)]
    assert len({one.pass_id for one in claims}) == len(seats) + len(others)
    assert [one.seat for one in claims] == sorted(seats) + sorted(others)


@given(st.from_regex(r"\A[0-9a-f]{24}\Z"), st.integers(1, 20_000))
def test_the_id_of_a_pass_is_an_id(order_id: str, seat: int) -> None:
    found = pass_id(order_id, seat)
    assert len(found) == 24
    assert set(found) <= set("0123456789abcdef")
    assert found == pass_id(order_id, seat)


def test_the_id_of_a_pass_never_changes() -> None:
    """Codes are printed, and check-ins are stored under these ids."""
    assert pass_id("5f" * 12, 7) == "5959c9d4c6c4b0259ec3b76c"


@given(facts, seat_sets, st.booleans())
def test_passes_are_valid_only_while_their_order_is_complete(
    walk: list[str], seats: tuple[int, ...], used: bool
) -> None:
    order = placed(seats)
    was_complete = False
    for fact in walk:
        happen(order, fact)
        was_complete = was_complete or order.status is OrderStatus.COMPLETE
        assert order.sold is was_complete
        admits = status_of(order, used=used)
        assert (admits is PassStatus.VOID) is (order.status is not OrderStatus.COMPLETE)
        assert (admits is PassStatus.USED) is (used and order.status is OrderStatus.COMPLETE)
        for claims in claims_of(order):
            if order.status is OrderStatus.COMPLETE:
                assert check_admits(claims, order) is order
            else:
                with pytest.raises(PassVoidError):
                    check_admits(claims, order)


@pytest.mark.parametrize("fact", FACTS)
def test_every_change_of_an_order_leaves_its_pass_codes_unchanged(fact: str) -> None:
    order = complete((3, 2))
    before = deepcopy(list(claims_of(order)))
    happen(order, fact)
    assert list(claims_of(order)) == before


def test_a_pass_of_a_seat_that_another_order_has_is_void() -> None:
    (claims,) = claims_of(complete())
    for holder in (None, complete(), placed((1,))):
        with pytest.raises(PassVoidError) as refused:
            check_admits(claims, holder)
        assert refused.value.members == {"passStatus": "void", "passId": claims.pass_id, "seat": 1}


def test_a_pass_for_another_seat_of_the_same_order_does_not_admit() -> None:
    order = complete((1, 2))
    first, second = claims_of(order)
    swapped = type(first)(first.pass_id, first.ticket_id, second.seat, first.starts_at)
    with pytest.raises(PassVoidError):
        check_admits(swapped, order)
