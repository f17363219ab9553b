"""The rules of a ticket."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import OrderStatus, TicketStatus
from ticketing_tickets.domain import TRANSITIONS, Taken, Ticket, TicketDetails, check_price, taken_by, words_of
from ticketing_tickets.errors import (
    PriceTooLowError,
    StartInPastError,
    TicketNotOwnedError,
    TicketReservedError,
    TicketTransitionError,
)

from .conftest import OrderScenario

pytestmark = pytest.mark.unit


def test_an_edit_replaces_every_detail(ticket: Ticket) -> None:
    details = TicketDetails(title="Seat 8", price_cents=2_500, starts_at=utc_now() + timedelta(hours=1))

    assert ticket.edit(ticket.user_id, details, now=utc_now())
    assert ticket.details == replace(details, quantity=1), "the number of seats stays"
    assert ticket.venue is None


def test_an_edit_that_changes_nothing_is_none(ticket: Ticket) -> None:
    assert not ticket.edit(ticket.user_id, ticket.details, now=utc_now())


def test_only_the_seller_edits_and_deletes(ticket: Ticket, details: TicketDetails) -> None:
    with pytest.raises(TicketNotOwnedError):
        ticket.edit(new_id(), details, now=utc_now())
    with pytest.raises(TicketNotOwnedError):
        ticket.delete(new_id())


@pytest.mark.parametrize("status", [TicketStatus.HELD, TicketStatus.SOLD])
def test_a_held_or_sold_ticket_cannot_be_edited_or_deleted(
    ticket: Ticket, details: TicketDetails, status: TicketStatus
) -> None:
    reserved = replace(ticket, status=status, order_id=new_id())

    with pytest.raises(TicketReservedError):
        reserved.edit(ticket.user_id, details, now=utc_now())
    with pytest.raises(TicketReservedError):
        reserved.delete(ticket.user_id)
    assert reserved.status is status
    assert reserved.deleted_at is None


def test_a_ticket_follows_its_order_to_the_end(ticket: Ticket) -> None:
    order = OrderScenario(ticket.id)

    assert ticket.follow(taken_by([order.created]))
    assert (ticket.status, ticket.order_id) == (TicketStatus.HELD, order.id)
    assert not ticket.follow(taken_by([order.created]))
    assert ticket.follow(taken_by([order.completed]))
    assert (ticket.status, ticket.order_id) == (TicketStatus.SOLD, order.id)
    assert not ticket.follow(taken_by([order.completed]))
    assert ticket.follow(Taken())
    assert (ticket.status, ticket.order_id) == (TicketStatus.AVAILABLE, None)
    assert not ticket.follow(Taken())


def test_a_deleted_ticket_answers_each_version_of_a_late_order_once(ticket: Ticket) -> None:
    order, later = OrderScenario(ticket.id), OrderScenario(ticket.id, minute=1)
    ticket.delete(ticket.user_id)

    assert not ticket.follow(Taken())
    assert ticket.follow(taken_by([order.created]))
    assert not ticket.follow(taken_by([order.created]))
    assert ticket.follow(taken_by([order.created.model_copy(update={"version": 2})]))
    assert ticket.follow(taken_by([later.created]))
    assert ticket.status is TicketStatus.DELETED
    assert ticket.order_id is None


def test_a_sale_that_was_decided_before_the_deletion_stands_and_then_falls_back_to_deleted(ticket: Ticket) -> None:
    order = OrderScenario(ticket.id)
    ticket.delete(ticket.user_id)

    assert ticket.follow(taken_by([order.completed]))
    assert (ticket.status, ticket.order_id) == (TicketStatus.SOLD, order.id)
    assert ticket.follow(Taken())
    assert (ticket.status, ticket.order_id) == (TicketStatus.DELETED, None)


def test_a_deleted_ticket_is_never_put_back_on_sale(ticket: Ticket) -> None:
    ticket.delete(ticket.user_id)
    ticket.deleted_at = None  # as after an error elsewhere; the table is the second guard

    with pytest.raises(TicketTransitionError):
        ticket.follow(Taken())


def test_the_table_knows_every_status() -> None:
    assert set(TRANSITIONS) == set(TicketStatus)


@given(data=st.data())
def test_whatever_happens_a_ticket_keeps_to_the_table_and_to_its_order(data: st.DataObject) -> None:
    from_table = {(before, after) for before, afters in TRANSITIONS.items() for after in afters}
    ticket = Ticket(user_id=new_id(), title="Seat 7", price_cents=1, currency="usd")
    scenarios = [OrderScenario(ticket.id, minute=minute) for minute in range(3)]
    facts: list[Any] = [None, *(fact for scenario in scenarios for fact in (scenario.created, scenario.completed))]

    for step in data.draw(st.lists(st.sampled_from([*facts, "delete", "withdraw"]), max_size=20)):
        before, was_deleted = ticket.status, ticket.deleted_at is not None
        if step == "delete":
            if before is TicketStatus.AVAILABLE:
                ticket.delete(ticket.user_id)
            continue
        if step == "withdraw":
            if not was_deleted:
                ticket.withdraw()
            continue
        ticket.follow(taken_by([step] if step else []))

        assert before is ticket.status or (before, ticket.status) in from_table
        assert (ticket.order_id is not None) == (ticket.status in {TicketStatus.HELD, TicketStatus.SOLD})
        if step is not None and step.status is OrderStatus.COMPLETE:
            assert (ticket.status, ticket.order_id) == (TicketStatus.SOLD, step.id)
        elif was_deleted:
            assert ticket.status is TicketStatus.DELETED
        elif step is None:
            assert ticket.status is (TicketStatus.DELETED if ticket.withdrawn else TicketStatus.AVAILABLE)
        else:
            assert (ticket.status, ticket.order_id) == (TicketStatus.HELD, step.id)
        assert not ticket.follow(taken_by([step] if step else []))


def test_without_active_orders_no_seat_is_taken() -> None:
    assert taken_by([]) == Taken()
    assert taken_by([OrderScenario(new_id()).cancelled]) == Taken()


def test_the_complete_order_has_it_before_any_other_and_then_the_newest() -> None:
    old, middle, new = (OrderScenario(new_id(), minute=minute) for minute in range(3))

    assert taken_by([old.created, new.created, middle.cancelled]) == Taken(held=1, holder=new.id, unpaid={new.id: 1})
    assert taken_by([old.completed, new.created]) == Taken(sold=1, holder=old.id)
    assert taken_by([old.completed, new.completed]) == Taken(sold=1, holder=new.id)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The Rock'n'Roll  Show", ["the", "rock", "n", "roll", "show"]),
        ("Émile Zola à l'Opéra", ["emile", "zola", "a", "l", "opera"]),
        ("CAFÉ cafe", ["cafe"]),
        ("Straße Ørsted Łódź Æther", ["strasse", "orsted", "lodz", "aether"]),
        ("İstanbul Diyarbakır", ["istanbul", "diyarbakir"]),
        ("Рок-концерт", ["рок", "концерт"]),
        ("snake_case 2026", ["snake", "case", "2026"]),
        ("!!! — ...", []),
    ],
)
def test_words_are_found_without_case_accents_and_punctuation(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@given(st.text(max_size=60))
def test_folding_words_again_changes_nothing_and_leaves_nothing_special(text: str) -> None:
    words = words_of(text)

    assert words_of(" ".join(words)) == words
    assert all(word.isalnum() for word in words)


def test_a_price_that_cannot_be_charged_is_refused_when_it_is_new(ticket: Ticket) -> None:
    ticket.price_cents = 10  # from before there was a smallest price
    cheap = replace(ticket.details, price_cents=49)

    with pytest.raises(PriceTooLowError, match=r"0\.50 usd"):
        ticket.edit(ticket.user_id, cheap, now=utc_now())
    assert ticket.edit(ticket.user_id, replace(ticket.details, title="Seat 8"), now=utc_now())
    assert ticket.edit(ticket.user_id, replace(ticket.details, price_cents=50), now=utc_now())


def test_the_smallest_price_is_that_of_the_currency() -> None:
    check_price(30, "gbp")
    with pytest.raises(PriceTooLowError, match=r"175\.00 huf"):
        check_price(17_499, "huf")


def test_only_a_new_date_must_be_in_the_future(ticket: Ticket) -> None:
    now = utc_now()
    ticket.starts_at = now - timedelta(days=1)

    assert ticket.edit(ticket.user_id, replace(ticket.details, title="Seat 8"), now=now)
    for moment in (now, now - timedelta(days=2)):
        with pytest.raises(StartInPastError):
            ticket.edit(ticket.user_id, replace(ticket.details, starts_at=moment), now=now)
    assert ticket.edit(ticket.user_id, replace(ticket.details, starts_at=now + timedelta(seconds=1)), now=now)
