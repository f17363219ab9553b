"""A listing whose event has begun: it is shown as ended, is not in the default list, and may still be edited."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from secrets import token_hex
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import TicketStatus
from ticketing_testkit.apps import Identity
from ticketing_tickets.domain import ShownStatus, TicketSearch, TicketSort, shown_status
from ticketing_tickets.schemas import TicketResponse, revised

from .conftest import refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

Follow = Callable[..., Awaitable[None]]
ListOf = Callable[..., Awaitable[list[tuple[str, str]]]]


@pytest.fixture
def begin(app: FastAPI) -> Callable[[str], Awaitable[str]]:
    """Move the start of a ticket's event to a moment ago; returns its date."""

    async def pass_time(ticket_id: str) -> str:
        moment = utc_now() - timedelta(seconds=1)
        tickets = app.state.runtime.collection("tickets")
        await tickets.update_one({"_id": ticket_id}, {"$set": {"starts_at": moment}})
        return moment.isoformat()

    return pass_time


@pytest.fixture
def word() -> str:
    """A word in the titles of all tickets of this test, and of no others."""
    return f"w{token_hex(6)}"


@pytest.fixture
def sell(api: httpx.AsyncClient, seller: dict[str, str], word: str) -> Callable[..., Awaitable[dict[str, Any]]]:
    async def post(**fields: Any) -> dict[str, Any]:
        body = {"title": word, "price": 20, "startsAt": "2999-01-01T20:00:00Z", **fields}
        made = await api.post("/api/tickets", json=body, headers=seller)
        assert made.status_code == 201, made.text
        listed: dict[str, Any] = made.json()
        return listed

    return post


@pytest.fixture
def list_of(api: httpx.AsyncClient, word: str) -> ListOf:
    async def search(**query: str) -> list[tuple[str, str]]:
        answer = await api.get("/api/tickets", params={"q": word, **query})
        return [(ticket["id"], ticket["status"]) for ticket in answer.json()]

    return search


@pytest.mark.parametrize("sort", TicketSort)
async def test_a_listing_whose_event_has_begun_is_ended_and_not_offered(
    api: httpx.AsyncClient, sell: Any, list_of: ListOf, begin: Any, sort: TicketSort
) -> None:
    begun, ahead, undated = await sell(), await sell(), await sell(startsAt=None)
    await begin(begun["id"])

    assert {ticket for ticket, _ in await list_of(sort=sort)} == {ahead["id"], undated["id"]}
    assert (begun["id"], "ended") in await list_of(sort=sort, status="all")
    assert (await api.get(f"/api/tickets/{begun['id']}")).json()["status"] == "ended"
    assert await list_of(sort=sort, to="2998-01-01T00:00:00Z") == []


async def test_every_page_of_the_default_list_leaves_out_ended_listings(
    api: httpx.AsyncClient, sell: Any, begin: Any
) -> None:
    begun = await sell()
    await begin(begun["id"])
    for sort in TicketSort:
        path: str | None = f"/api/tickets?sort={sort}&limit=100"
        while path:
            answer = await api.get(path)
            assert begun["id"] not in {ticket["id"] for ticket in answer.json()}
            path = answer.links.get("next", {}).get("url")


async def test_held_and_sold_listings_keep_their_status(sell: Any, list_of: ListOf, begin: Any, follow: Follow) -> None:
    held, sold = await sell(), await sell()
    await follow(held["id"])
    await follow(sold["id"], "completed")
    for ticket in (held, sold):
        await begin(ticket["id"])

    assert await list_of(status="held") == [(held["id"], "held")]
    assert await list_of(status="sold") == [(sold["id"], "sold")]


async def test_an_unchanged_date_in_the_past_may_stay_and_a_new_one_may_not(
    api: httpx.AsyncClient, seller: dict[str, str], sell: Any, begin: Any
) -> None:
    ticket = await sell()
    path, then = f"/api/tickets/{ticket['id']}", await begin(ticket["id"])
    body = {"title": "Seat 8", "price": 25, "startsAt": then}

    edited = await api.put(path, json=body, headers=seller)
    assert (edited.status_code, edited.json()["title"], edited.json()["status"]) == (200, "Seat 8", "ended")
    yesterday = (utc_now() - timedelta(days=1)).isoformat()
    refused(await api.put(path, json={**body, "startsAt": yesterday}, headers=seller), 422, "startsAt")
    refused(await api.post("/api/tickets", json=body, headers=seller), 422, "startsAt")
    postponed = await api.put(path, json={**body, "startsAt": "2999-01-01T20:00:00Z"}, headers=seller)
    assert postponed.json()["status"] == "available"
    undated = await api.put(path, json={**body, "startsAt": None}, headers=seller)
    assert (undated.status_code, undated.json()["startsAt"]) == (200, None)


async def test_a_cached_list_is_corrected_by_the_current_time(sell: Any) -> None:
    begun, ahead = await sell(), await sell()
    begun["startsAt"] = utc_now().isoformat()
    body = TicketsJson.dump(begun, ahead)

    assert TicketsJson.statuses(revised(body, without_ended=True)) == {ahead["id"]: "available"}
    assert TicketsJson.statuses(revised(body, without_ended=False)) == {begun["id"]: "ended", ahead["id"]: "available"}
    assert revised(unchanged := TicketsJson.dump(ahead), without_ended=True) == unchanged


class TicketsJson:
    """The response body of a list of tickets."""

    @staticmethod
    def dump(*tickets: dict[str, Any]) -> bytes:
        shown = (TicketResponse.model_validate(ticket).model_dump_json(by_alias=True) for ticket in tickets)
        return f"[{','.join(shown)}]".encode()

    @staticmethod
    def statuses(body: bytes) -> dict[str, str]:
        return {ticket["id"]: ticket["status"] for ticket in httpx.Response(200, content=body).json()}


async def test_the_start_of_the_event_is_too_late() -> None:
    now = utc_now()
    assert shown_status(TicketStatus.AVAILABLE, now, now) is ShownStatus.ENDED
    assert shown_status(TicketStatus.AVAILABLE, now + timedelta(milliseconds=1), now) is ShownStatus.AVAILABLE
    assert shown_status(TicketStatus.AVAILABLE, None, now) is ShownStatus.AVAILABLE
    assert TicketSearch().unbegun


async def test_sellers_see_their_ended_listings(api: httpx.AsyncClient, identity: Identity, begin: Any) -> None:
    mine = identity.headers(new_id())
    body = {"title": "Seat 7", "price": 20, "startsAt": "2999-01-01T20:00:00Z"}
    made = (await api.post("/api/tickets", json=body, headers=mine)).json()
    await begin(made["id"])
    assert [one["status"] for one in (await api.get("/api/tickets/mine", headers=mine)).json()] == ["ended"]
