"""Refusals from memory of listings with many seats, and of seats that went long ago."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from ticketing_common.entity import new_id
from ticketing_common.events import TicketData
from ticketing_orders import hold_cache
from ticketing_testkit.waiting import until

from ..conftest import MakeTicket, RunningOrders
from .conftest import hold, keys, succeeds

Start = Callable[..., Any]


async def test_a_listing_with_many_seats_is_never_refused_from_memory(
    one: RunningOrders, other: RunningOrders, make_ticket: MakeTicket
) -> None:
    many = make_ticket(quantity=40, highest_seat=40)
    await one.service.follow_ticket(many)
    answers = await asyncio.gather(*(hold(api, many.id, new_id()) for api in (one, other) for _ in range(20)))
    assert [answer.status_code for answer in answers] == [201] * 40
    assert sorted(seat for answer in answers for seat in answer.json()["seats"]) == list(range(1, 41))
    for api in (one, other):
        refused = await hold(api, many.id, new_id())
        assert (refused.status_code, refused.json()["available"]) == (409, 0)
        api.assert_problem(await hold(api, many.id, many.user_id), 403)


async def test_a_listing_that_gets_more_seats_is_no_longer_refused_from_memory(
    one: RunningOrders, ticket: TicketData
) -> None:
    await one.service.follow_ticket(ticket)
    order = (await hold(one, ticket.id, winner := new_id())).json()
    assert (await hold(one, ticket.id, new_id())).status_code == 409
    await one.call("DELETE", f"/{order['id']}", user_id=winner)
    await one.service.follow_ticket(ticket.model_copy(update={"version": 9, "quantity": 3, "highest_seat": 3}))
    statuses = [(await hold(one, ticket.id, new_id())).status_code for _ in range(4)]
    assert statuses == [201, 201, 201, 409]


async def test_while_events_arrive_a_seat_that_went_long_ago_costs_no_write_until_it_is_free(
    one: RunningOrders, other: RunningOrders, ticket: TicketData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hold_cache, "FRESH_SECONDS", 0.0)
    await one.service.follow_ticket(ticket)
    holder, loser = new_id(), new_id()
    order = (await hold(other, ticket.id, holder)).json()

    await until(one.app.state.feed.is_current)
    assert (await hold(one, ticket.id, loser)).status_code == 409, "by the index, which also shows the holder"
    known = await keys(one)
    assert (await hold(one, ticket.id, loser, "again")).status_code == 409
    assert await keys(one) == known, "before a write"

    assert (await other.call("DELETE", f"/{order['id']}", user_id=holder)).status_code == 204
    await until(lambda: succeeds(one, ticket.id, new_id()))  # after the event
