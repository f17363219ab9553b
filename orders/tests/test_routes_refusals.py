import base64
import json
import math
from typing import Any, Final

import httpx
import pytest

from ticketing_common.entity import new_id
from ticketing_common.events import TicketData

from .conftest import MakeTicket, RunningOrders

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDERS: Final = "/api/orders"


# --- what is sent ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "ticketId"),
        ({"ticketId": None}, "ticketId"),
        ({"ticketId": 5}, "ticketId"),
        ({"ticketId": {"$ne": None}}, "ticketId"),
        ({"ticketId": ["a" * 24]}, "ticketId"),
        ({"ticketId": "a" * 24, "price": 0}, "price"),
        ({"ticketId": "a" * 24, "price": "25.50"}, "price"),
        ({"ticketId": "a" * 24, "quantity": 0}, "quantity"),
        ({"ticketId": "a" * 24, "quantity": 11}, "quantity"),
        ({"ticketId": "a" * 24, "quantity": "2"}, "quantity"),
        ({"ticketId": "a" * 24, "status": "complete"}, "status"),
        ({"ticket_id": "a" * 24, "ticketId": "a" * 24}, "ticket_id"),
        ([], None),
        ("text", None),
        (None, None),
    ],
)
async def test_a_wrong_body_is_refused_with_the_field_named(
    api: RunningOrders, body: dict[str, Any], field: str | None
) -> None:
    before = await api.count()
    api.assert_problem(await api.call("POST", user_id=new_id(), json=body), 422, field)
    assert await api.count() == before


# --- which page -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=101", "limit=x", "limit=-1", "cursor=nonsense", "cursor=%00", "cursor=e30", "cursor="),
        *("status=complete", "Limit=5"),
    ],
)
async def test_wrong_paging_is_refused(api: RunningOrders, query: str) -> None:
    api.assert_problem(await api.call("GET", f"?{query}", user_id=new_id()), 422, query.partition("=")[0])


@pytest.mark.parametrize(
    "keys",
    [
        *(["x", "y"], [1, 2], [], [None, None], ["2026-01-01T00:00:00+00:00", "a"], ["a"] * 3, [1, "a" * 24, 1]),
        # As the cursors of this list were once; this one lies beyond the year 9999, and was a 500.
        ["9999-12-31T23:59:59-23:59", "a" * 24],
        *([edge, "a" * 24] for edge in (-62_135_596_800_001, 253_402_300_800_000, 2**53, 2**63, -(2**63), 10**30)),
        *([value, "a" * 24] for value in (True, 1.5, [1], {"$gt": 1}, math.nan, math.inf)),
    ],
)
async def test_a_forged_cursor_is_refused(api: RunningOrders, make_ticket: MakeTicket, keys: list[Any]) -> None:
    buyer = new_id()
    for _ in range(2):
        listed = make_ticket()
        await api.service.follow_ticket(listed)
        await api.hold(listed.id, user_id=buyer)
    link = (await api.call("GET", "?limit=1", user_id=buyer)).links["next"]["url"]
    cursor = httpx.URL(link).params["cursor"]
    fingerprint = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))[0]
    forged = base64.urlsafe_b64encode(json.dumps([fingerprint, *keys]).encode()).rstrip(b"=").decode()
    answer = await api.call("GET", user_id=buyer, params={"limit": 1, "cursor": forged})
    if keys:
        api.assert_problem(answer, 422, "cursor")
    else:  # "from the start" is a page like any other
        assert answer.status_code == 200


# --- the caller -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"), [("POST", ""), ("GET", ""), ("GET", "/" + "a" * 24), ("DELETE", "/" + "a" * 24)]
)
async def test_a_request_without_a_session_is_a_401(api: RunningOrders, method: str, path: str) -> None:
    body = {"json": {"ticketId": "a" * 24}} if method == "POST" else {}
    answer = await api.call(method, path, user_id=None, **body)
    api.assert_problem(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_cookie_with_a_foreign_origin_may_not_write(api: RunningOrders, ticket: TicketData) -> None:
    cookie = {"cookie": f"session={api.identity.token()}"}
    strange = await api.client.post(
        ORDERS, json={"ticketId": ticket.id}, headers={**cookie, "origin": "https://evil.example"}
    )
    api.assert_problem(strange, 403)
    own = await api.client.post(ORDERS, json={"ticketId": ticket.id}, headers={**cookie, "origin": "http://testserver"})
    assert own.status_code == 201
