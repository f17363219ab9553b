"""The HTTP contract of tickets over the real database; one service runs for all of these tests."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from secrets import token_hex
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from ticketing_common.entity import new_id
from ticketing_common.events import TicketStatus
from ticketing_common.testing.apps import Bus, Identity, run_app, service_settings_for
from ticketing_common.testing.servers import NatsServer
from ticketing_tickets.app import create_app
from ticketing_tickets.schemas import MAX_WORDS
from ticketing_tickets.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

SELLER, STRANGER = new_id(), new_id()
VALID = {"title": "Seat 7", "price": 19.99}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def app(mongo_url: str, identity: Identity, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FastAPI]:
    """One service for all tests of this module: each has tickets of its own, so they are not in each other's way."""
    nats = NatsServer(tmp_path_factory.mktemp("nats"))
    nats.start()
    database = f"test_{token_hex(6)}"
    addresses = service_settings_for(mongo_url=mongo_url, database=database, nats_url=nats.url, identity=identity)
    try:
        async with Bus.connect(nats.url):  # which declares the streams of the neighbours
            yield create_app(Settings(**addresses))
    finally:
        nats.stop()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def api(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with run_app(app) as client:
        yield client
        database = app.state.backbone.database
        await database.client.drop_database(database.name)


@pytest.fixture
def seller(identity: Identity) -> dict[str, str]:
    return identity.headers(SELLER)


@pytest.fixture
def stranger(identity: Identity) -> dict[str, str]:
    return identity.headers(STRANGER)


@pytest_asyncio.fixture(loop_scope="module")
async def listed(api: httpx.AsyncClient, seller: dict[str, str]) -> dict[str, Any]:
    """A ticket on sale."""
    answer = await api.post("/api/tickets", json=VALID, headers=seller)
    assert answer.status_code == 201
    ticket: dict[str, Any] = answer.json()
    return ticket


async def hold(app: FastAPI, ticket_id: str, order_for: Callable[..., Any], fact: str = "created") -> None:
    await app.state.service.follow_order(getattr(order_for(ticket_id), fact))


def problem(answer: httpx.Response, status: int, *fields: str | None) -> None:
    """It is that refusal, about these fields."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    if fields:
        assert [error.get("field") for error in body["errors"]] == list(fields)


# --- listing a ticket --------------------------------------------------------------------------------------------


async def test_a_listed_ticket_is_answered_in_full_and_shown_to_everybody(
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
        ({**VALID, "price": -5}, ["price"]),
        ({**VALID, "price": 19.999}, ["price"]),
        ({**VALID, "price": True}, ["price"]),
        ({**VALID, "price": "5"}, ["price"]),
        ({**VALID, "title": ""}, ["title"]),
        ({**VALID, "title": "x" * 10_000}, ["title"]),
        ({**VALID, "title": ["x"]}, ["title"]),
        ({**VALID, "startsAt": "tomorrow"}, ["startsAt"]),
        ({**VALID, "startsAt": "2001-01-01T00:00:00Z"}, ["startsAt"]),
        ({**VALID, "userId": STRANGER, "status": "sold"}, ["userId", "status"]),
        ([VALID], [None]),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_wrong_input_is_refused_by_field_and_makes_nothing(
    api: httpx.AsyncClient, body: Any, fields: list[str | None], identity: Identity
) -> None:
    nobody_yet = identity.headers(new_id())

    problem(await api.post("/api/tickets", json=body, headers=nobody_yet), 422, *fields)
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

    problem(await api.post("/api/tickets", content=text, headers=headers), 422, field)


async def test_what_is_not_json_or_too_long_is_refused(api: httpx.AsyncClient, seller: dict[str, str]) -> None:
    form = await api.post("/api/tickets", data={"title": "Seat", "price": "5"}, headers=seller)
    assert form.status_code in {415, 422}
    problem(await api.post("/api/tickets", json={**VALID, "description": "x" * 70_000}, headers=seller), 413)


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

    problem(answer, 401)
    assert "www-authenticate" in answer.headers


async def test_the_same_idempotency_key_lists_one_ticket(api: httpx.AsyncClient, identity: Identity) -> None:
    headers = {**identity.headers(new_id()), "Idempotency-Key": new_id()}
    first = await api.post("/api/tickets", json=VALID, headers=headers)
    second = await api.post("/api/tickets", json=VALID, headers=headers)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert len((await api.get("/api/tickets/mine", headers=headers)).json()) == 1


# --- one ticket --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ticket_id", ["0" * 24, "abc", "Z" * 24, "A" * 24, "0" * 25, "%00", "' || 1"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_an_unknown_or_malformed_id_is_not_found(
    api: httpx.AsyncClient, seller: dict[str, str], method: str, ticket_id: str
) -> None:
    body = VALID if method == "PUT" else None

    problem(await api.request(method, f"/api/tickets/{ticket_id}", json=body, headers=seller), 404)


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

    problem(await api.put(path, json={**VALID, "price": 0}, headers=seller), 422, "price")
    problem(await api.put(path, json={"title": "Seat"}, headers=seller), 422, "price")
    problem(await api.put(path, json={**VALID, "title": "Mine"}, headers=stranger), 403)
    problem(await api.delete(path, headers=stranger), 403)
    assert (await api.get(path)).json() == listed


@pytest.mark.parametrize("fact", ["created", "completed"])
async def test_a_held_or_sold_ticket_cannot_be_edited_or_deleted(
    app: FastAPI,
    api: httpx.AsyncClient,
    seller: dict[str, str],
    stranger: dict[str, str],
    listed: dict[str, Any],
    order_for: Callable[..., Any],
    fact: str,
) -> None:
    path = f"/api/tickets/{listed['id']}"
    await hold(app, listed["id"], order_for, fact)
    status = {"created": "held", "completed": "sold"}[fact]

    problem(await api.put(path, json={**VALID, "price": 1}, headers=seller), 409)
    problem(await api.delete(path, headers=seller), 409)
    problem(await api.delete(path, headers=stranger), 403)
    assert (await api.get(path)).json() == {**listed, "status": status, "version": 2}


async def test_a_deleted_ticket_is_gone_for_everybody(
    api: httpx.AsyncClient, seller: dict[str, str], listed: dict[str, Any]
) -> None:
    path = f"/api/tickets/{listed['id']}"
    answer = await api.delete(path, headers=seller)

    assert (answer.status_code, answer.content) == (204, b"")
    problem(await api.get(path), 404)
    problem(await api.put(path, json=VALID, headers=seller), 404)
    problem(await api.delete(path, headers=seller), 404)
    for query in ("?status=all&limit=100", "/mine?limit=100"):
        shown = (await api.get(f"/api/tickets{query}", headers=seller)).json()
        assert listed["id"] not in [ticket["id"] for ticket in shown]


async def test_edits_at_once_are_done_one_after_the_other(
    api: httpx.AsyncClient, seller: dict[str, str], listed: dict[str, Any]
) -> None:
    path = f"/api/tickets/{listed['id']}"
    bodies = [{**VALID, "title": title} for title in ("Left", "Right")]
    answers = await asyncio.gather(*(api.put(path, json=body, headers=seller) for body in bodies))

    assert [answer.status_code for answer in answers] == [200, 200]
    assert {answer.json()["version"] for answer in answers} == {2, 3}
    assert (await api.get(path)).json() == max((a.json() for a in answers), key=lambda ticket: ticket["version"])


async def test_a_page_of_another_site_cannot_use_the_cookie(
    api: httpx.AsyncClient, identity: Identity, listed: dict[str, Any]
) -> None:
    cookie = {"Cookie": f"session={identity.token(SELLER)}"}
    path = f"/api/tickets/{listed['id']}"

    problem(await api.delete(path, headers={**cookie, "Origin": "https://evil.example"}), 403)
    assert (await api.delete(path, headers={**cookie, "Origin": "http://testserver"})).status_code == 204


# --- lists -------------------------------------------------------------------------------------------------------


async def listings(api: httpx.AsyncClient, identity: Identity, *bodies: dict[str, Any]) -> tuple[str, list[str]]:
    """Tickets with a word of their own in the title, so that nothing else is found with it."""
    word = f"w{token_hex(6)}"
    headers = identity.headers(SELLER)
    made = [
        await api.post("/api/tickets", json={**VALID, "title": f"{word} {n}", **body}, headers=headers)
        for n, body in enumerate(bodies)
    ]
    assert {answer.status_code for answer in made} == {201}
    return word, [answer.json()["id"] for answer in made]


async def ids(api: httpx.AsyncClient, word: str, **query: Any) -> list[str]:
    answer = await api.get("/api/tickets", params={"q": word, **query})
    assert answer.status_code == 200, answer.text
    return [ticket["id"] for ticket in answer.json()]


async def walk(api: httpx.AsyncClient, path: str, headers: dict[str, str] | None = None) -> list[list[dict[str, Any]]]:
    """All pages, by following Link until there is none."""
    pages = []
    next_path: str | None = path
    while next_path:
        answer = await api.get(next_path, headers=headers)
        assert answer.status_code == 200, answer.text
        pages.append(answer.json())
        next_path = answer.links.get("next", {}).get("url")
    return pages


async def test_each_order_and_filter_of_the_contract(api: httpx.AsyncClient, identity: Identity) -> None:
    word, (a, b, c) = await listings(
        api,
        identity,
        {"price": 10, "startsAt": "2999-01-02T00:00:00Z"},
        {"price": 5.5},
        {"price": 7.25, "startsAt": "2999-01-01T00:00:00Z"},
    )

    assert await ids(api, word) == await ids(api, word, sort="newest") == [c, b, a]
    assert await ids(api, word, sort="oldest") == [a, b, c]
    assert await ids(api, word, sort="price") == [b, c, a]
    assert await ids(api, word, sort="-price") == [a, c, b]
    assert await ids(api, word, sort="startsAt") == [c, a, b]
    assert await ids(api, word, sort="-startsAt") == [a, c, b]
    assert await ids(api, word, minPrice="5.50", maxPrice="7.25") == [c, b]
    assert await ids(api, word, minPrice="7.26") == [a]
    assert await ids(api, word, **{"from": "2999-01-02T01:00:00+01:00"}) == [a]
    assert await ids(api, word, to="2999-01-01T23:59:59Z") == [c]
    assert await ids(api, word, minPrice="", maxPrice="", to="", **{"from": ""}) == [c, b, a]
    assert await ids(api, word.upper()[:6] + " 1") == [b]


async def test_only_what_is_available_is_listed_unless_asked_for(
    app: FastAPI, api: httpx.AsyncClient, identity: Identity, order_for: Callable[..., Any]
) -> None:
    word, (free, held, sold) = await listings(api, identity, {}, {}, {})
    await hold(app, held, order_for)
    await hold(app, sold, order_for, "completed")

    assert await ids(api, word) == [free]
    assert await ids(api, word, status="held") == [held]
    assert await ids(api, word, status="sold") == [sold]
    assert await ids(api, word, status="all") == [sold, held, free]


@pytest.mark.parametrize("sort", ["newest", "oldest", "price", "-price", "startsAt", "-startsAt"])
async def test_a_walk_meets_each_ticket_once_while_others_are_listed(
    api: httpx.AsyncClient, identity: Identity, sort: str
) -> None:
    dates = [None, "2999-01-01T00:00:00Z", "2999-01-02T00:00:00Z"]
    bodies = [{"price": 1 + n % 2, "startsAt": dates[n % 3]} for n in range(7)]
    word, made = await listings(api, identity, *bodies)
    seen: list[str] = []
    path: str | None = f"/api/tickets?q={word}&sort={sort}&limit=2&maxPrice=9.99"
    while path:
        answer = await api.get(path)
        seen += [ticket["id"] for ticket in answer.json()]
        path = answer.links.get("next", {}).get("url")
        newcomer = {**VALID, "title": word, "price": 1.5, "startsAt": dates[len(seen) % 3]}
        await api.post("/api/tickets", json=newcomer, headers=identity.headers(SELLER))
        assert len(seen) < 30

    assert len(set(seen)) == len(seen)
    assert set(made) <= set(seen)


async def test_the_link_is_path_absolute_and_keeps_every_parameter(api: httpx.AsyncClient, identity: Identity) -> None:
    word, made = await listings(api, identity, {}, {}, {})
    answer = await api.get(f"/api/tickets?q={word}&limit=2&sort=oldest&minPrice=1&status=all")

    link = answer.links["next"]["url"]
    assert link.startswith("/api/tickets?")
    for parameter in (f"q={word}", "limit=2", "sort=oldest", "minPrice=1", "status=all", "cursor="):
        assert parameter in link
    last = await api.get(link)
    assert [ticket["id"] for ticket in last.json()] == made[2:]
    assert "link" not in last.headers


async def test_a_cursor_belongs_to_its_query(api: httpx.AsyncClient, identity: Identity) -> None:
    word, _ = await listings(api, identity, {}, {})
    answer = await api.get(f"/api/tickets?q={word}&limit=1")
    cursor = httpx.URL(answer.links["next"]["url"]).params["cursor"]

    for query in (f"q={word}&sort=price", "q=other", "", f"q={word}&status=all"):
        problem(await api.get(f"/api/tickets?{query}&cursor={cursor}"), 422, "cursor")
    for made_up in ("x", "AAAA", cursor[:-4], "e30", "%00"):
        problem(await api.get(f"/api/tickets?q={word}&cursor={made_up}"), 422, "cursor")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("minPrice=2&maxPrice=1.99", "minPrice"),
        ("from=2999-01-02T00:00:00Z&to=2999-01-01T00:00:00Z", "from"),
        ("minPrice=0.001", "minPrice"),
        ("minPrice=-1", "minPrice"),
        ("maxPrice=NaN", "maxPrice"),
        ("maxPrice=1e400", "maxPrice"),
        ("from=2999-01-01", "from"),
        ("from=2999-01-01T00:00:00", "from"),
        ("to=9999-12-31T23:59:59-01:00", "to"),
        ("sort=cheapest", "sort"),
        ("sort=", "sort"),
        ("status=deleted", "status"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        (f"q={'x' * 201}", "q"),
        ("minprice=5", "minprice"),
        ("page=2", "page"),
    ],
)
async def test_a_wrong_query_parameter_is_refused_by_name(api: httpx.AsyncClient, query: str, field: str) -> None:
    problem(await api.get(f"/api/tickets?{query}"), 422, field)


async def test_a_search_bears_anything_that_is_typed(api: httpx.AsyncClient) -> None:
    for text in (".*", "^", "(", "[a", "\\", "$where", "é" * 200, "a " * 100, "\x00", "' or 1=1", "🎸"):
        assert (await api.get("/api/tickets", params={"q": text})).status_code == 200


async def test_of_a_long_search_the_first_words_count(api: httpx.AsyncClient, identity: Identity) -> None:
    word, made = await listings(api, identity, {"title": f"{(words := ' '.join(f'z{n}' for n in range(MAX_WORDS)))}"})

    assert await ids(api, f"{words} {word} and more") == made


async def test_sellers_see_their_own_in_every_state_newest_first_and_page_through_them(
    app: FastAPI, api: httpx.AsyncClient, identity: Identity, order_for: Callable[..., Any]
) -> None:
    mine = identity.headers(new_id())
    made = [(await api.post("/api/tickets", json=VALID, headers=mine)).json()["id"] for _ in range(5)]
    await hold(app, made[0], order_for)
    await hold(app, made[1], order_for, "completed")

    pages = await walk(api, "/api/tickets/mine?limit=2", mine)

    assert [len(page) for page in pages] == [2, 2, 1]
    assert [ticket["id"] for page in pages for ticket in page] == made[::-1]
    assert {ticket["status"] for page in pages for ticket in page} == {"available", "held", "sold"}
    problem(await api.get("/api/tickets/mine?status=sold", headers=mine), 422, "status")
    problem(await api.get("/api/tickets/mine?limit=1000", headers=mine), 422, "limit")


async def test_nothing_of_the_saga_is_shown(
    app: FastAPI, api: httpx.AsyncClient, listed: dict[str, Any], order_for: Callable[..., Any]
) -> None:
    await hold(app, listed["id"], order_for)

    assert set((await api.get(f"/api/tickets/{listed['id']}")).json()) == set(listed)
    assert not set(listed) & {"orderId", "words", "outbox", "answeredOrders", "deletedAt", "priceCents"}


async def test_the_documentation_names_every_route_and_parameter(api: httpx.AsyncClient) -> None:
    document = (await api.get("/api/tickets/openapi.json")).json()

    assert {path: set(operations) for path, operations in document["paths"].items()} == {
        "/api/tickets": {"get", "post"},
        "/api/tickets/mine": {"get"},
        "/api/tickets/{id}": {"get", "put", "delete"},
    }
    parameters = {one["name"] for one in document["paths"]["/api/tickets"]["get"]["parameters"]}
    assert parameters == {"q", "minPrice", "maxPrice", "from", "to", "sort", "status", "limit", "cursor"}
    # Whatever is documented is not refused as unknown.
    for name in parameters:
        answer = await api.get("/api/tickets", params={name: "\x00"})
        assert "no such" not in answer.text
    shown = document["components"]["schemas"]["TicketStatus"]["enum"]
    assert set(shown) == {status.value for status in TicketStatus}
