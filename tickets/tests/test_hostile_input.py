"""The cost of hostile input on every route of this service."""

import httpx
import pytest
from fastapi import FastAPI

from ticketing_common.entity import new_id
from ticketing_testkit.apps import Identity
from ticketing_testkit.hostile import attempts, findings, fingerprint
from ticketing_testkit.hostile_texts import texts

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_hostile_input_is_refused_cheaply_and_changes_nothing(
    app: FastAPI, api: httpx.AsyncClient, identity: Identity
) -> None:
    await api.post("/api/tickets", json={"title": "Seat 7", "price": 19.99}, headers=identity.headers())
    before = await fingerprint(app.state.runtime.database)

    assert [finding async for finding in findings(app, identity.token())] == []
    assert await fingerprint(app.state.runtime.database) == before


async def test_every_route_and_place_of_input_is_tried(app: FastAPI, identity: Identity) -> None:
    tried = {(attempt.operation, attempt.place) for attempt in attempts(app, identity.token())}

    assert {operation for operation, _ in tried} == {
        *("create_ticket", "list_tickets", "list_my_tickets", "stream_tickets"),
        *("get_ticket", "update_ticket", "cancel_ticket", "delete_ticket"),
    }
    assert {("update_ticket", "path id"), ("list_tickets", "query q"), ("create_ticket", "field startsAt")} <= tried
    assert ("stream_tickets", "header Last-Event-ID") in tried


@pytest.mark.parametrize("length", [3, 24, 200])
async def test_a_short_hostile_text_is_refused_or_shown_as_any_other(
    api: httpx.AsyncClient, identity: Identity, length: int
) -> None:
    seller = identity.headers(new_id())
    for name, text in texts(length):
        for field in ("title", "venue", "description"):
            body = {"title": "Seat 7", "price": 5, field: text}
            made = await api.post("/api/tickets", json=body, headers=seller)
            assert made.status_code in {201, 422}, (name, field)
            if made.status_code == 201:
                assert (await api.get(f"/api/tickets/{made.json()['id']}")).json() == made.json()
        found = await api.get("/api/tickets", params={"q": text})
        assert found.status_code in {200, 422}, name  # some are a little longer than allowed
        for parameter in ("minPrice", "from"):
            assert (await api.get("/api/tickets", params={parameter: text})).status_code in {200, 422}, name
        assert (await api.get("/api/tickets", params={"cursor": text})).status_code == 422, name
