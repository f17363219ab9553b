"""The HTTP contract of the lists; one service runs for all of these tests."""

import base64
import math
from collections.abc import Awaitable, Callable
from datetime import datetime
from secrets import token_hex
from typing import Any

import httpx
import pytest
from pydantic_core import from_json, to_json

from ticketing_common.entity import new_id
from ticketing_testkit.apps import Identity
from ticketing_tickets.schemas import MAX_WORDS

from .conftest import SELLER, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

VALID = {"title": "Seat 7", "price": 19.99}

Follow = Callable[..., Awaitable[None]]


async def listings(api: httpx.AsyncClient, identity: Identity, *bodies: dict[str, Any]) -> tuple[str, list[str]]:
    """Tickets with a word of their own in the title, so that nothing else is found with it; and their ids in turn."""
    word = f"w{token_hex(6)}"
    headers = identity.headers(SELLER)
    made = [
        await api.post("/api/tickets", json={**VALID, "title": f"{word} {n}", **body}, headers=headers)
        for n, body in enumerate(bodies)
    ]
    assert {answer.status_code for answer in made} == {201}
    return word, [answer.json()["id"] for answer in made]


async def newest_first(api: httpx.AsyncClient, *ticket_ids: str) -> list[str]:
    """The ids in the order they should be listed in: two may have been made in the same millisecond."""
    tickets = [(await api.get(f"/api/tickets/{ticket_id}")).json() for ticket_id in ticket_ids]

    def by_age(ticket: dict[str, Any]) -> tuple[datetime, str]:
        # As text a whole second would come after its fractions.
        return datetime.fromisoformat(ticket["createdAt"]), ticket["id"]

    return [ticket["id"] for ticket in sorted(tickets, key=by_age, reverse=True)]


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

    newest = await newest_first(api, a, b, c)
    assert await ids(api, word) == await ids(api, word, sort="newest") == newest
    assert await ids(api, word, sort="oldest") == newest[::-1]
    assert await ids(api, word, sort="price") == [b, c, a]
    assert await ids(api, word, sort="-price") == [a, c, b]
    assert await ids(api, word, sort="startsAt") == [c, a, b]
    assert await ids(api, word, sort="-startsAt") == [a, c, b]
    assert await ids(api, word, minPrice="5.50", maxPrice="7.25", sort="price") == [b, c]
    assert await ids(api, word, minPrice="7.26") == [a]
    assert await ids(api, word, **{"from": "2999-01-02T01:00:00+01:00"}) == [a]
    assert await ids(api, word, to="2999-01-01T23:59:59Z") == [c]
    assert await ids(api, word, minPrice="", maxPrice="", to="", **{"from": ""}) == newest
    assert await ids(api, word.upper()[:-1] + " 1") == [b]


async def test_only_what_is_available_is_listed_unless_asked_for(
    api: httpx.AsyncClient, identity: Identity, follow: Follow
) -> None:
    word, (free, held, sold) = await listings(api, identity, {}, {}, {})
    await follow(held)
    await follow(sold, "completed")

    assert await ids(api, word) == [free]
    assert await ids(api, word, status="held") == [held]
    assert await ids(api, word, status="sold") == [sold]
    assert await ids(api, word, status="all") == await newest_first(api, free, held, sold)


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
    assert [ticket["id"] for ticket in last.json()] == (await newest_first(api, *made))[:1]
    assert "link" not in last.headers


async def test_a_cursor_belongs_to_its_query(api: httpx.AsyncClient, identity: Identity) -> None:
    word, _ = await listings(api, identity, {}, {})
    answer = await api.get(f"/api/tickets?q={word}&limit=1")
    cursor = httpx.URL(answer.links["next"]["url"]).params["cursor"]

    for query in (f"q={word}&sort=price", "q=other", "", f"q={word}&status=all"):
        refused(await api.get(f"/api/tickets?{query}&cursor={cursor}"), 422, "cursor")
    for made_up in ("x", "AAAA", cursor[:-4], "e30", "%00"):
        refused(await api.get(f"/api/tickets?q={word}&cursor={made_up}"), 422, "cursor")


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
    refused(await api.get(f"/api/tickets?{query}"), 422, field)


async def test_a_search_bears_anything_that_is_typed(api: httpx.AsyncClient) -> None:
    for text in (".*", "^", "(", "[a", "\\", "$where", "é" * 200, "a " * 100, "\x00", "' or 1=1", "🎸"):
        assert (await api.get("/api/tickets", params={"q": text})).status_code == 200


@pytest.mark.parametrize("text", ["!", "…", " ", "\u3000", "_", "\u0301", "\u2800", "🎸", "' --"])
async def test_a_search_without_any_word_finds_nothing(api: httpx.AsyncClient, listed: Any, text: str) -> None:
    assert (await api.get("/api/tickets", params={"q": text})).json() == []
    assert (await api.get("/api/tickets", params={"q": text, "status": "all", "limit": "1"})).json() == []
    assert (await api.get("/api/tickets", params={"q": ""})).json() != []


EDGES_OF_TIME = (-(2**63), -(2**53), -62_135_596_800_001, 253_402_300_800_000, 2**53, 2**53 + 1, 2**63, 10**30)


@pytest.mark.parametrize("sort", ["newest", "price", "startsAt"])
async def test_a_cursor_at_the_edge_of_what_can_be_stored_is_refused_or_leads_nowhere(
    api: httpx.AsyncClient, identity: Identity, sort: str
) -> None:
    word, _ = await listings(api, identity, {"startsAt": "2999-01-01T00:00:00Z"}, {"startsAt": "2999-01-01T00:00:00Z"})
    query = {"q": word, "sort": sort, "limit": "1"}
    given = (await api.get("/api/tickets", params=query)).links["next"]["url"]
    fingerprint = from_json(_unpadded(httpx.URL(given).params["cursor"]))[0]

    def forged(*values: Any) -> str:
        return base64.urlsafe_b64encode(to_json([fingerprint, *values])).rstrip(b"=").decode()

    wrong = [True, 1.5, "1", "9999-12-31T23:59:59-23:59", [1], {"a": 1}, math.inf]
    for value in [*wrong, *(edge for edge in EDGES_OF_TIME if sort != "price" or abs(edge) > 2**53)]:
        refused(await api.get("/api/tickets", params={**query, "cursor": forged(value, "a" * 24)}), 422, "cursor")
    for last_id in (None, 5, "", "a" * 23, "A" * 24, "a" * 24 + "\n", {"$ne": 1}):
        refused(await api.get("/api/tickets", params={**query, "cursor": forged(1, last_id)}), 422, "cursor")
    for values in ((1,), (1, "a" * 24, 1)):
        refused(await api.get("/api/tickets", params={**query, "cursor": forged(*values)}), 422, "cursor")
    nested = base64.urlsafe_b64encode(b"[" * 300).decode()
    for cursor in ("", nested, "[", "a" * 501, f" {forged(1, 'a' * 24)}", "é", "\x00"):
        refused(await api.get("/api/tickets", params={**query, "cursor": cursor}), 422, "cursor")
    for lowest in (-62_135_596_800_000, 253_402_300_799_999):  # the first and the last that are stored
        answer = await api.get("/api/tickets", params={**query, "cursor": forged(lowest, "a" * 24)})
        assert answer.status_code == 200


def _unpadded(cursor: str) -> bytes:
    return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))


async def test_times_at_the_edge_of_the_calendar_are_stored_shown_and_searched(
    api: httpx.AsyncClient, identity: Identity
) -> None:
    last = "9999-12-31T23:59:59.999Z"
    word, (made,) = await listings(api, identity, {"startsAt": last})
    assert (await api.get(f"/api/tickets/{made}")).json()["startsAt"] == last.replace(".999Z", ".999000Z")
    assert await ids(api, word, **{"from": last, "to": last, "sort": "startsAt"}) == [made]
    assert await ids(api, word, **{"from": "0001-01-01T00:00:00Z"}) == [made]
    for moment in ("9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+00:01", "0000-01-01T00:00:00Z"):
        refused(await api.get("/api/tickets", params={"from": moment}), 422, "from")
        body = {**VALID, "startsAt": moment}
        refused(await api.post("/api/tickets", json=body, headers=identity.headers(SELLER)), 422, "startsAt")


async def test_of_a_long_search_the_first_words_count(api: httpx.AsyncClient, identity: Identity) -> None:
    word, made = await listings(api, identity, {"title": f"{(words := ' '.join(f'z{n}' for n in range(MAX_WORDS)))}"})

    assert await ids(api, f"{words} {word} and more") == made


async def test_sellers_see_their_own_in_every_state_newest_first_and_page_through_them(
    api: httpx.AsyncClient, identity: Identity, follow: Follow
) -> None:
    mine = identity.headers(new_id())
    made = [(await api.post("/api/tickets", json=VALID, headers=mine)).json()["id"] for _ in range(5)]
    await follow(made[0])
    await follow(made[1], "completed")

    pages = await walk(api, "/api/tickets/mine?limit=2", mine)

    assert [len(page) for page in pages] == [2, 2, 1]
    assert [ticket["id"] for page in pages for ticket in page] == await newest_first(api, *made)
    assert {ticket["status"] for page in pages for ticket in page} == {"available", "held", "sold"}
    refused(await api.get("/api/tickets/mine?status=sold", headers=mine), 422, "status")
    refused(await api.get("/api/tickets/mine?limit=1000", headers=mine), 422, "limit")
