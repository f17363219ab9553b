"""The routes that change and delete a listing, with real servers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from .conftest import refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

VALID = {"title": "Seat 7", "price": 19.99}

Follow = Callable[..., Awaitable[None]]


async def test_an_edit_replaces_everything_that_the_seller_decides(
    api: httpx.AsyncClient, seller: dict[str, str], listed: dict[str, Any]
) -> None:
    path = f"/api/tickets/{listed['id']}"
    full = {"title": "Seat 8", "price": 5, "venue": "Opera", "description": "…", "startsAt": "2999-06-01T18:00:00Z"}
    answer = await api.put(path, json=full, headers=seller)

    assert answer.status_code == 200
    assert answer.json() == {**listed, **full, "version": 2}
    bare = await api.put(path, json=VALID, headers=seller)
    assert bare.json() == {**listed, "version": 3}
    same = await api.put(path, json=VALID, headers=seller)
    assert same.json() == bare.json()
    assert (await api.get(path)).json() == bare.json()


async def test_wrong_input_and_strangers_change_nothing(
    api: httpx.AsyncClient, seller: dict[str, str], stranger: dict[str, str], listed: dict[str, Any]
) -> None:
    path = f"/api/tickets/{listed['id']}"

    refused(await api.put(path, json={**VALID, "price": 0}, headers=seller), 422, "price")
    refused(await api.put(path, json={"title": "Seat"}, headers=seller), 422, "price")
    refused(await api.put(path, json={**VALID, "title": "Mine"}, headers=stranger), 403)
    refused(await api.delete(path, headers=stranger), 403)
    assert (await api.get(path)).json() == listed


@pytest.mark.parametrize("fact", ["created", "completed"])
async def test_a_held_or_sold_ticket_cannot_be_edited_or_deleted(
    api: httpx.AsyncClient,
    seller: dict[str, str],
    stranger: dict[str, str],
    listed: dict[str, Any],
    fact: str,
    follow: Follow,
) -> None:
    path = f"/api/tickets/{listed['id']}"
    await follow(listed["id"], fact)
    status = {"created": "held", "completed": "sold"}[fact]

    refused(await api.put(path, json={**VALID, "price": 1}, headers=seller), 409)
    refused(await api.delete(path, headers=seller), 409)
    refused(await api.delete(path, headers=stranger), 403)
    assert (await api.get(path)).json() == {**listed, "status": status, "available": 0, "version": 2}


async def test_a_listing_of_many_seats_changes_within_its_rules(
    api: httpx.AsyncClient, seller: dict[str, str], follow: Follow
) -> None:
    listed = (await api.post("/api/tickets", json={**VALID, "quantity": 3}, headers=seller)).json()
    assert (listed["quantity"], listed["available"], listed["status"]) == (3, 3, "available")
    path = f"/api/tickets/{listed['id']}"
    await follow(listed["id"], "created")

    assert (await api.get(path)).json() == {**listed, "available": 2, "version": 2}
    refused(await api.put(path, json={**VALID, "title": "Another"}, headers=seller), 409, "title")
    refused(await api.delete(path, headers=seller), 409)
    cheaper = await api.put(path, json={**VALID, "price": 1, "quantity": 1}, headers=seller)
    assert cheaper.status_code == 200, cheaper.text
    assert (cheaper.json()["quantity"], cheaper.json()["available"], cheaper.json()["status"]) == (1, 0, "held")
    refused(await api.put(path, json={**VALID, "price": 1, "quantity": 2}, headers=seller), 409)


async def test_a_deleted_ticket_is_not_found_by_any_caller(
    api: httpx.AsyncClient, seller: dict[str, str], listed: dict[str, Any]
) -> None:
    path = f"/api/tickets/{listed['id']}"
    answer = await api.delete(path, headers=seller)

    assert (answer.status_code, answer.content) == (204, b"")
    refused(await api.get(path), 404)
    refused(await api.put(path, json=VALID, headers=seller), 404)
    refused(await api.delete(path, headers=seller), 404)
    for query in ("?status=all&limit=100", "/mine?limit=100"):
        shown = (await api.get(f"/api/tickets{query}", headers=seller)).json()
        assert listed["id"] not in [ticket["id"] for ticket in shown]


async def test_concurrent_edits_are_applied_one_after_the_other(
    api: httpx.AsyncClient, seller: dict[str, str], listed: dict[str, Any]
) -> None:
    path = f"/api/tickets/{listed['id']}"
    bodies = [{**VALID, "title": title} for title in ("Left", "Right")]
    answers = await asyncio.gather(*(api.put(path, json=body, headers=seller) for body in bodies))

    assert [answer.status_code for answer in answers] == [200, 200]
    assert {answer.json()["version"] for answer in answers} == {2, 3}
    assert (await api.get(path)).json() == max((a.json() for a in answers), key=lambda ticket: ticket["version"])
