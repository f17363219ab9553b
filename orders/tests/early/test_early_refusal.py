"""Late requests are refused from memory; only requests that may get the ticket reach the database."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import RevocationReason, TicketData, UserData
from ticketing_orders import hold_cache
from ticketing_orders.domain import Order
from ticketing_orders.hold_cache import FRESH_SECONDS
from ticketing_testkit.apps import Bus, Identity, run_app
from ticketing_testkit.waiting import until

from ..conftest import RunningOrders
from .conftest import hold, keys, succeeds

Start = Callable[..., Any]


async def test_a_late_request_is_refused_before_a_write(one: RunningOrders, ticket: TicketData) -> None:
    await one.service.follow_ticket(ticket)
    winner, loser = new_id(), new_id()
    assert (await hold(one, ticket.id, winner, "win")).status_code == 201
    refused = await hold(one, ticket.id, loser, "lose")
    one.assert_problem(refused, 409)
    assert '"holds";r=4;' in refused.headers["ratelimit"], "it counts as every attempt does"
    assert await keys(one) == 1, "the winner's"


async def test_a_seller_gets_the_error_for_an_own_ticket_also_while_it_is_held(
    one: RunningOrders, other: RunningOrders, ticket: TicketData
) -> None:
    await one.service.follow_ticket(ticket)
    assert (await hold(one, ticket.id, new_id())).status_code == 201
    for replica in (one, other):
        replica.assert_problem(await hold(replica, ticket.id, ticket.user_id), 403)
        assert (await hold(replica, ticket.id, new_id())).status_code == 409
        replica.assert_problem(await hold(replica, ticket.id, ticket.user_id), 403)


async def test_the_holder_repeats_the_request_and_gets_the_order(one: RunningOrders, ticket: TicketData) -> None:
    await one.service.follow_ticket(ticket)
    winner = new_id()
    first = await hold(one, ticket.id, winner, "win")
    assert (await hold(one, ticket.id, new_id())).status_code == 409
    again = await hold(one, ticket.id, winner, "win")
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotency-replayed"] == "true"


async def test_a_key_that_was_refused_may_win_once_the_ticket_is_free(one: RunningOrders, ticket: TicketData) -> None:
    await one.service.follow_ticket(ticket)
    winner, loser = new_id(), new_id()
    order = (await hold(one, ticket.id, winner)).json()
    assert (await hold(one, ticket.id, loser, "mine")).status_code == 409
    assert (await one.call("DELETE", f"/{order['id']}", user_id=winner)).status_code == 204
    assert (await hold(one, ticket.id, loser, "mine")).status_code == 201, "immediately, on the replica that cancelled"


async def test_without_events_a_refusal_comes_from_memory_for_a_second_at_most(
    one: RunningOrders, ticket: TicketData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test removes the order by hand, so no event announces that."""
    monkeypatch.setattr(one.app.state.feed, "is_current", lambda: False)
    await one.service.follow_ticket(ticket)
    await hold(one, ticket.id, new_id())
    await one.repository.collection.delete_many({})
    loser = new_id()
    assert (await hold(one, ticket.id, loser)).status_code == 409
    assert await one.count() == 0
    monkeypatch.setattr(hold_cache, "FRESH_SECONDS", FRESH_SECONDS)
    await until(lambda: succeeds(one, ticket.id, new_id()))


async def test_a_refusal_by_the_index_records_the_holder(
    one: RunningOrders, make_app: Callable[..., FastAPI], identity: Identity, bus: Bus, ticket: TicketData
) -> None:
    """The replica starts after the order's event, so it learns of the holder only from the index."""
    await one.service.follow_ticket(ticket)
    holder = new_id()
    placed = await one.service.place(ticket.id, user_id=holder)

    async def is_published() -> bool:
        return not await one.repository.collection.count_documents({"outbox.0": {"$exists": True}})

    await until(is_published)
    app = make_app()
    async with run_app(app) as client:
        late = RunningOrders(app, client, identity, bus)
        assert (await hold(late, ticket.id, new_id(), "first")).status_code == 409
        assert await keys(late) == 1, "it reached the database"
        assert (await hold(late, ticket.id, new_id(), "second")).status_code == 409
        assert await keys(late) == 1, "it did not"
        assert (await hold(late, ticket.id, holder, "third")).status_code == 409
        assert await keys(late) == 2, "the memory never refuses the holder"
        assert (await late.call("GET", f"/{placed.id}", user_id=holder)).status_code == 200


async def test_two_replicas_receive_each_others_holds_and_cancellations(
    one: RunningOrders, other: RunningOrders, ticket: TicketData
) -> None:
    await one.service.follow_ticket(ticket)
    winner, loser = new_id(), new_id()
    feed, held = other.app.state.feed, other.app.state.hold_cache
    before = feed.position
    order = (await hold(one, ticket.id, winner)).json()
    await until(lambda: feed.position != before)
    assert (await hold(other, ticket.id, new_id())).status_code == 409, "and records the seller"
    assert held.is_held_by_another(ticket.id, user_id=loser)
    assert (await one.call("DELETE", f"/{order['id']}", user_id=winner)).status_code == 204
    await until(lambda: succeeds(other, ticket.id, loser))  # only the event of the cancellation ends the refusals
    assert await one.repository.collection.count_documents({"status": "created"}) == 1


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ('{"ticketId": "%s", "extra": 1}', "application/json", 422),
        ('{"ticketId": ["%s"]}', "application/json", 422),
        ('{"ticketId": "%s"', "application/json", 422),
        ('{"ticketId": "%s"}', "text/plain", 422),
    ],
    ids=["unknown field", "wrong type", "broken", "not JSON by its header"],
)
async def test_a_malformed_request_gets_its_own_error_also_while_the_ticket_is_held(
    one: RunningOrders, ticket: TicketData, body: str, content_type: str, status: int
) -> None:
    await one.service.follow_ticket(ticket)
    await hold(one, ticket.id, new_id())
    answer = await one.call(
        "POST", user_id=new_id(), content=body.replace("%s", ticket.id), headers={"Content-Type": content_type}
    )
    one.assert_problem(answer, status)


async def test_authentication_and_rate_limits_apply_to_refusals_from_memory(
    one: RunningOrders, ticket: TicketData
) -> None:
    await one.service.follow_ticket(ticket)
    await hold(one, ticket.id, new_id())
    one.assert_problem(await one.call("POST", user_id=None, json={"ticketId": ticket.id}), 401)
    impatient = new_id()
    statuses = [(await hold(one, ticket.id, impatient)).status_code for _ in range(6)]
    assert statuses == [409] * 5 + [429]


async def test_a_refusal_from_memory_waits_for_no_turn_and_makes_the_checks_of_every_request(
    one: RunningOrders, ticket: TicketData
) -> None:
    await one.service.follow_ticket(ticket)
    await hold(one, ticket.id, new_id())
    account, loser = new_id(), new_id()
    one.app.state.runtime.revocations.note(ended_sessions(account))

    def cookie(origin: str) -> dict[str, str]:
        return {"Cookie": f"session={one.identity.token(loser)}", "Origin": origin}

    async with one.app.state.hold_cache.lock(ticket.id):  # as if another request for the ticket hung
        refused = await hold(one, ticket.id, loser)
        own = await one.call("POST", user_id=None, json={"ticketId": ticket.id}, headers=cookie("http://testserver"))
        foreign = await one.call("POST", user_id=None, json={"ticketId": ticket.id}, headers=cookie("http://evil.test"))
        text = await one.call("POST", user_id=loser, content=b"{}", headers={"Content-Type": "text/plain"})
    one.assert_problem(refused, 409)
    assert refused.headers["x-content-type-options"] == "nosniff"
    assert own.json() == refused.json() == (await hold(one, ticket.id, loser, "by-the-route")).json()
    one.assert_problem(foreign, 403)
    one.assert_problem(text, 422)
    one.assert_problem(await hold(one, ticket.id, account), 401)
    metrics = (await one.client.get("/metrics")).text
    assert 'method="POST",route="/api/orders",service="orders",status="409"' in metrics
    assert 'method="POST",route="/api/orders",service="orders",status="403"' in metrics


def ended_sessions(account: str) -> UserData:
    now = utc_now()
    return UserData(
        id=new_id(),
        version=1,
        user_id=account,
        session_epoch=1,
        revoked_before=now + timedelta(seconds=1),
        tokens_end_at=now + timedelta(hours=1),
        reason=RevocationReason.SIGNED_OUT,
    )


async def test_of_concurrent_requests_for_one_ticket_one_reaches_the_database(
    one: RunningOrders, ticket: TicketData
) -> None:
    await one.service.follow_ticket(ticket)
    answers = await asyncio.gather(*(hold(one, ticket.id, new_id(), f"key-{number}") for number in range(20)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19
    assert await keys(one) == 1, "the winner's; the others were refused from memory"


async def test_a_request_that_waits_for_a_hanging_one_continues_after_a_second(
    one: RunningOrders, ticket: TicketData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hold_cache, "LOCK_WAIT_SECONDS", 1.0)
    await one.service.follow_ticket(ticket)
    place, hangs, go_on = one.service.place, asyncio.Event(), asyncio.Event()

    async def hang_once(*args: Any, **kwargs: Any) -> Order:
        if not hangs.is_set():
            hangs.set()
            await go_on.wait()
        return await place(*args, **kwargs)

    monkeypatch.setattr(one.service, "place", hang_once)
    first = asyncio.create_task(hold(one, ticket.id, new_id()))
    await hangs.wait()
    assert (await hold(one, ticket.id, new_id())).status_code == 201
    go_on.set()
    assert (await first).status_code == 409


async def test_the_next_request_may_win_when_the_previous_one_is_refused(
    one: RunningOrders, ticket: TicketData
) -> None:
    await one.service.follow_ticket(ticket)
    seller, buyer = hold(one, ticket.id, ticket.user_id), hold(one, ticket.id, new_id())
    assert [answer.status_code for answer in await asyncio.gather(seller, buyer)] == [403, 201]
    async with asyncio.timeout(30), one.app.state.hold_cache.lock(ticket.id):
        pass  # no turn is left behind, for which the next request would wait
