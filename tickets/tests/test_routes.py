"""The HTTP contract of a single ticket; one service runs for all of these tests."""

import base64
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from ticketing_common.entity import new_id
from ticketing_testkit.apps import Identity
from ticketing_testkit.crashes import dying_before_the_answer

from .conftest import SELLER, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

VALID = {"title": "Seat 7", "price": 19.99}

Follow = Callable[..., Awaitable[None]]


async def test_a_listed_ticket_is_returned_in_full_and_shown_to_every_caller(
    api: httpx.AsyncClient, seller: dict[str, str]
) -> None:
    body = {
        "title": " Évening ",
        "price": 19.99,
        "description": "Row 3",
        "venue": "Opéra",
        "startsAt": "2999-06-01T20:00:00+02:00",
    }
    answer = await api.post("/api/tickets", json=body, headers=seller)

    assert answer.status_code == 201
    ticket = answer.json()
    assert {name: ticket[name] for name in ticket if name not in {"id", "createdAt"}} == {
        "title": "Évening",
        "description": "Row 3",
        "venue": "Opéra",
        "startsAt": "2999-06-01T18:00:00Z",
        "price": 19.99,
        "currency": "usd",
        "quantity": 1,
        "available": 1,
        "status": "available",
        "userId": SELLER,
        "version": 1,
    }
    assert (await api.get(f"/api/tickets/{ticket['id']}")).json() == ticket


async def test_what_is_left_out_is_null(listed: dict[str, Any]) -> None:
    assert listed["description"] is listed["venue"] is listed["startsAt"] is None


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["title", "price"]),
        ({**VALID, "price": 0.001}, ["price"]),
        ({**VALID, "price": 0.49}, ["price"]),
        ({**VALID, "price": -5}, ["price"]),
        ({**VALID, "title": "\u2800\u3164"}, ["title"]),
        ({**VALID, "title": "a\u202eb", "venue": "a\nb", "description": "\u200b"}, ["title", "description", "venue"]),
        ({**VALID, "price": 19.999}, ["price"]),
        ({**VALID, "price": True}, ["price"]),
        ({**VALID, "price": "5"}, ["price"]),
        ({**VALID, "title": ""}, ["title"]),
        ({**VALID, "title": "x" * 10_000}, ["title"]),
        ({**VALID, "title": ["x"]}, ["title"]),
        ({**VALID, "startsAt": "tomorrow"}, ["startsAt"]),
        ({**VALID, "startsAt": "2001-01-01T00:00:00Z"}, ["startsAt"]),
        ({**VALID, "userId": "0" * 24, "status": "sold"}, ["userId", "status"]),
        ([VALID], [None]),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_wrong_input_is_refused_by_field_and_makes_nothing(
    api: httpx.AsyncClient, body: Any, fields: list[str | None], identity: Identity
) -> None:
    nobody_yet = identity.headers(new_id())

    refused(await api.post("/api/tickets", json=body, headers=nobody_yet), 422, *fields)
    assert (await api.get("/api/tickets/mine", headers=nobody_yet)).json() == []


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"title": "Seat", "price": 1e400}', "price"),
        ('{"title": "Seat", "price": NaN}', "price"),
        ('{"title": "Seat", "price": -Infinity}', "price"),
        ('{"title": "\\ud800", "price": 1}', "title"),
        ('{"title": "Seat", "price": 1', None),
        ("", None),
    ],
)
async def test_json_that_only_looks_right_is_refused(
    api: httpx.AsyncClient, seller: dict[str, str], text: str, field: str | None
) -> None:
    headers = {**seller, "content-type": "application/json"}

    refused(await api.post("/api/tickets", content=text, headers=headers), 422, field)


def unsigned(claims: dict[str, Any]) -> str:
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    return ".".join([*(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts), ""])


@pytest.mark.parametrize("bad", ["none", "garbage", "expired", "forged", "alg none"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/tickets"),
        ("GET", "/api/tickets/mine"),
        ("PUT", "/api/tickets/" + "0" * 24),
        ("DELETE", "/api/tickets/" + "0" * 24),
    ],
)
async def test_without_a_valid_token_nothing_is_changed_or_shown(
    api: httpx.AsyncClient, identity: Identity, method: str, path: str, bad: str
) -> None:
    now = int(time.time())
    tokens = {
        "garbage": "x.y.z",
        "expired": identity.token(SELLER, exp=now - 60, iat=now - 120),
        "forged": Identity().token(SELLER),
        "alg none": unsigned({"sub": SELLER, "email": "a@b.example", "exp": now + 600}),
    }
    headers = {"Authorization": f"Bearer {tokens[bad]}"} if bad in tokens else {}
    answer = await api.request(method, path, headers=headers, json=VALID if method in {"POST", "PUT"} else None)

    refused(answer, 401)
    assert "www-authenticate" in answer.headers


async def test_the_same_idempotency_key_lists_one_ticket(api: httpx.AsyncClient, identity: Identity) -> None:
    headers = {**identity.headers(new_id()), "Idempotency-Key": new_id()}
    first = await api.post("/api/tickets", json=VALID, headers=headers)
    second = await api.post("/api/tickets", json=VALID, headers=headers)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert len((await api.get("/api/tickets/mine", headers=headers)).json()) == 1


async def test_a_ticket_whose_process_died_before_its_response_is_not_listed_twice(
    api: httpx.AsyncClient, app: FastAPI, identity: Identity
) -> None:
    headers = {**identity.headers(new_id()), "Idempotency-Key": new_id()}
    async with dying_before_the_answer(app):
        await api.post("/api/tickets", json=VALID, headers=headers)
    (listed,) = (await api.get("/api/tickets/mine", headers=headers)).json()

    again = await api.post("/api/tickets", json=VALID, headers=headers)

    assert (again.status_code, again.json()) == (201, listed)
    assert (await api.get("/api/tickets/mine", headers=headers)).json() == [listed]


@pytest.mark.parametrize("ticket_id", ["0" * 24, "abc", "Z" * 24, "A" * 24, "0" * 25, "%00", "' || 1"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_an_unknown_or_malformed_id_is_not_found(
    api: httpx.AsyncClient, seller: dict[str, str], method: str, ticket_id: str
) -> None:
    body = VALID if method == "PUT" else None

    refused(await api.request(method, f"/api/tickets/{ticket_id}", json=body, headers=seller), 404)


async def test_a_page_of_another_site_cannot_use_the_cookie(
    api: httpx.AsyncClient, identity: Identity, listed: dict[str, Any]
) -> None:
    cookie = {"Cookie": f"session={identity.token(SELLER)}"}
    path = f"/api/tickets/{listed['id']}"

    refused(await api.delete(path, headers={**cookie, "Origin": "https://evil.example"}), 403)
    assert (await api.delete(path, headers={**cookie, "Origin": "http://testserver"})).status_code == 204


async def test_nothing_of_the_saga_is_shown(api: httpx.AsyncClient, listed: dict[str, Any], follow: Follow) -> None:
    await follow(listed["id"])

    assert set((await api.get(f"/api/tickets/{listed['id']}")).json()) == set(listed)
    assert not set(listed) & {"orderId", "words", "outbox", "answeredOrders", "deletedAt", "priceCents"}


async def test_the_documentation_names_every_route_and_parameter(api: httpx.AsyncClient) -> None:
    document = (await api.get("/api/tickets/openapi.json")).json()

    assert {path: set(operations) for path, operations in document["paths"].items()} == {
        "/api/tickets": {"get", "post"},
        "/api/tickets/mine": {"get"},
        "/api/tickets/stream": {"get"},
        "/api/tickets/{id}": {"get", "put", "delete"},
        "/api/tickets/{id}/cancel": {"post"},
    }
    parameters = {one["name"] for one in document["paths"]["/api/tickets"]["get"]["parameters"]}
    assert parameters == {"q", "minPrice", "maxPrice", "from", "to", "sort", "status", "limit", "cursor"}
    # Whatever is documented is not refused as unknown.
    for name in parameters:
        answer = await api.get("/api/tickets", params={name: "\x00"})
        assert "no such" not in answer.text
    shown = document["components"]["schemas"]["ShownStatus"]["enum"]
    assert set(shown) == {"available", "held", "sold", "cancelled", "ended"}
