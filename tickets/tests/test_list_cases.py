"""The table of list_cases.json, which the client's live lists read too: the same tickets found, in the same order."""

import json
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

import httpx
import pytest

from ticketing_tickets.domain import words_of

CASES: Final[dict[str, list[Any]]] = json.loads(Path(__file__).with_name("list_cases.json").read_text())


@pytest.mark.unit
@pytest.mark.parametrize(("text", "words"), CASES["words"])
def test_words_of_a_text(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("case", [pytest.param(case, id=case["why"]) for case in CASES["matches"]])
async def test_what_a_query_finds(api: httpx.AsyncClient, seller: dict[str, str], case: dict[str, Any]) -> None:
    query = case["query"]
    made = await api.post("/api/tickets", json={"title": "Seat 7", "price": 10, **case["ticket"]}, headers=seller)
    assert made.status_code == 201, made.text

    answer = await api.get("/api/tickets", params={**query, "limit": "100"})

    assert answer.status_code == 200, answer.text
    assert (made.json()["id"] in [ticket["id"] for ticket in answer.json()]) is case["found"]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("query", CASES["refused"])
async def test_a_query_that_is_refused(api: httpx.AsyncClient, query: dict[str, str]) -> None:
    assert (await api.get("/api/tickets", params=query)).status_code == 422


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("case", CASES["orders"])
async def test_the_order_of_a_list(api: httpx.AsyncClient, seller: dict[str, str], case: dict[str, Any]) -> None:
    word: dict[str, Any] = {"title": f"w{token_hex(6)}", "price": 10}
    made = [await api.post("/api/tickets", json=word, headers=seller) for _ in case["tickets"]]
    # Equal tickets are in the order of their ids, which is not that of their creation.
    ids = sorted(answer.json()["id"] for answer in made)
    for ticket_id, ticket in zip(ids, case["tickets"], strict=True):
        changed = await api.put(f"/api/tickets/{ticket_id}", json=word | ticket, headers=seller)
        assert changed.status_code == 200, changed.text

    for sort, order in case["sorted"].items():
        answer = await api.get("/api/tickets", params={"q": word["title"], "sort": sort})
        assert [ids.index(ticket["id"]) for ticket in answer.json()] == order, sort
