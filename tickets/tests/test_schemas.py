"""Which requests are valid, and how responses look."""

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from ticketing_common.entity import new_id, utc_now
from ticketing_common.web import Instant
from ticketing_tickets.domain import Ticket
from ticketing_tickets.schemas import PriceBound, TicketRequest, TicketResponse

pytestmark = pytest.mark.unit

INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)
PRICE_BOUND: TypeAdapter[int] = TypeAdapter(PriceBound)


def request(**fields: Any) -> TicketRequest:
    return TicketRequest.model_validate({"title": "Seat 7", "price": 5, **fields})


@pytest.mark.parametrize(
    ("price", "cents"), [(19.99, 1_999), (0.01, 1), (1_000_000.00, 100_000_000), (5, 500), (4.35, 435), (1.1e2, 11_000)]
)
def test_a_price_becomes_exact_cents(price: float, cents: int) -> None:
    assert request(price=price).details().price_cents == cents


@pytest.mark.parametrize(
    "price",
    [0.001, 19.999, 0, -1, -0.01, 0.009, 1_000_000.01, 10**400, math.inf, -math.inf, math.nan, True, "5", None, [], {}],
)
def test_an_invalid_price_is_refused(price: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        request(price=price)

    assert [error["loc"] for error in refused.value.errors()] == [("price",)]


def test_texts_are_trimmed_and_blank_ones_are_absent() -> None:
    details = request(title="  Seat 7\n", description=" ", venue="").details()

    assert (details.title, details.description, details.venue) == ("Seat 7", None, None)


@pytest.mark.parametrize(
    "fields",
    [
        {"title": "   "},
        {"title": "x" * 201},
        {"title": 7},
        {"title": None},
        {"description": "x" * 2_001},
        {"venue": "x" * 201},
        {"venue": ["Opera"]},
        {"startsAt": "2999-01-01T20:00:00"},
        {"startsAt": "2999-01-01"},
        {"startsAt": "32503680000"},
        {"startsAt": 32503680000},
        {"startsAt": "2999-02-30T20:00:00Z"},
        {"startsAt": "2999-01-01T20:00:60Z"},
        {"startsAt": "9999-12-31T23:59:59-01:00"},
        {"startsAt": "2999-01-01T20:00:00+25:00"},
        {"startsAt": "2020-01-01T20:00:00Z"},
        {"startsAt": ""},
        {"colour": "red"},
        {"userId": "0" * 24},
        {"status": "sold"},
        {"starts_at": "2999-01-01T20:00:00Z"},
    ],
    ids=str,
)
def test_a_wrong_field_is_refused_by_name(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        request(**fields)

    assert [error["loc"][0] for error in refused.value.errors()] == list(fields)


def test_a_missing_title_and_price_are_both_named() -> None:
    with pytest.raises(ValidationError) as refused:
        TicketRequest.model_validate({})

    assert {error["loc"] for error in refused.value.errors()} == {("title",), ("price",)}


def test_the_longest_texts_are_taken() -> None:
    taken = request(title="x" * 200, description="x" * 2_000, venue="x" * 200).details()
    assert (taken.title, taken.description, taken.venue) == ("x" * 200, "x" * 2_000, "x" * 200)


def test_a_time_with_an_offset_becomes_utc() -> None:
    starts_at = request(startsAt="2999-01-01T01:30:00.123456+02:00").details().starts_at

    assert starts_at == datetime(2998, 12, 31, 23, 30, 0, 123_000, tzinfo=UTC)


def test_an_event_that_begins_now_is_too_late_and_one_in_a_moment_is_not() -> None:
    with pytest.raises(ValidationError):
        request(startsAt=utc_now().isoformat())
    assert request(startsAt=(utc_now() + timedelta(seconds=30)).isoformat()).starts_at is not None


OFFSETS = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(timezones=OFFSETS))
def test_every_time_with_an_offset_is_read_to_the_millisecond_or_refused(moment: datetime) -> None:
    try:
        expected = moment.astimezone(UTC)
    except OverflowError:  # before the year 1 or after 9999
        with pytest.raises(ValidationError):
            INSTANT.validate_python(moment.isoformat())
    else:
        assert timedelta(0) <= expected - INSTANT.validate_python(moment.isoformat()) < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("text", "cents"), [("0", 0), ("19.99", 1_999), ("5.5", 550), ("999999999.99", 99_999_999_999)]
)
def test_a_bound_in_a_query_becomes_exact_cents(text: str, cents: int) -> None:
    assert PRICE_BOUND.validate_python(text) == cents


@pytest.mark.parametrize("text", ["-1", "1e3", "NaN", "inf", "0.001", "5,00", " 5", "5.", ".5", "٥", "9" * 10])
def test_an_invalid_price_bound_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        PRICE_BOUND.validate_python(text)


def test_an_answer_is_camel_case_with_nulls_and_without_the_order(ticket: Ticket) -> None:
    ticket.order_id = new_id()

    answer = TicketResponse.of(ticket).model_dump(mode="json", by_alias=True)

    assert answer == {
        "id": ticket.id,
        "title": "Seat 7",
        "description": None,
        "venue": "Opera",
        "startsAt": None,
        "price": 19.99,
        "currency": "usd",
        "quantity": 1,
        "available": 1,
        "status": "available",
        "userId": ticket.user_id,
        "version": 0,
        "createdAt": ticket.created_at.isoformat().replace("+00:00", "Z"),
    }
