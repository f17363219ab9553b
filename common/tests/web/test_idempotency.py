"""A repeated request runs once, and gets the same response."""

import asyncio
from datetime import timedelta

import httpx
from fastapi import FastAPI

from ticketing_common.entity import new_id, utc_now
from ticketing_testkit.apps import Identity
from ticketing_testkit.crashes import dying_before_the_answer

THING = {"title": "A thing", "price": 10}


async def test_the_same_key_and_body_get_the_first_response_again(
    client: httpx.AsyncClient, app: FastAPI, identity: Identity
) -> None:
    headers = {**identity.headers(), "Idempotency-Key": "one"}

    first = await client.post("/api/things", json=THING, headers=headers)
    second = await client.post("/api/things", json=THING, headers=headers)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.headers["Content-Type"] == "application/json"
    assert await app.state.things.collection.count_documents({}) == 1


async def test_without_a_key_each_request_runs(client: httpx.AsyncClient, app: FastAPI, identity: Identity) -> None:
    headers = identity.headers()
    for _ in range(2):
        assert (await client.post("/api/things", json=THING, headers=headers)).status_code == 201
    assert await app.state.things.collection.count_documents({}) == 2


async def test_another_body_is_refused(client: httpx.AsyncClient, identity: Identity) -> None:
    headers = {**identity.headers(), "Idempotency-Key": "one"}
    await client.post("/api/things", json=THING, headers=headers)

    other = await client.post("/api/things", json={**THING, "price": 11}, headers=headers)

    assert other.status_code == 422
    assert other.json()["errors"][0]["field"] == "Idempotency-Key"


async def test_a_key_belongs_to_its_caller(client: httpx.AsyncClient, app: FastAPI, identity: Identity) -> None:
    for _ in range(2):
        headers = {**identity.headers(new_id()), "Idempotency-Key": "one"}
        assert (await client.post("/api/things", json=THING, headers=headers)).status_code == 201
    assert await app.state.things.collection.count_documents({}) == 2


async def test_while_the_first_runs_the_second_is_a_conflict(
    client: httpx.AsyncClient, app: FastAPI, identity: Identity
) -> None:
    headers = {**identity.headers(), "Idempotency-Key": "one"}
    app.state.gate = asyncio.Event()
    first = asyncio.create_task(client.post("/api/things", json=THING, headers=headers))
    await app.state.entered.get()

    second = await client.post("/api/things", json=THING, headers=headers)
    app.state.gate.set()

    assert second.status_code == 409
    assert (await first).status_code == 201


async def test_twenty_concurrent_requests_create_one_thing(
    client: httpx.AsyncClient, app: FastAPI, identity: Identity
) -> None:
    headers = {**identity.headers(), "Idempotency-Key": "one"}

    answers = await asyncio.gather(*(client.post("/api/things", json=THING, headers=headers) for _ in range(20)))

    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert await app.state.things.collection.count_documents({}) == 1


async def test_a_refusal_is_stored_like_any_response(
    client: httpx.AsyncClient, app: FastAPI, identity: Identity
) -> None:
    headers = {**identity.headers(), "Idempotency-Key": "one"}
    for _ in range(2):
        answer = await client.post("/api/things", json={**THING, "title": "taken"}, headers=headers)
        assert answer.status_code == 409
        assert answer.json()["detail"] == "It is taken."
    assert app.state.calls == 1


async def test_an_undecided_request_may_be_repeated_immediately(
    client: httpx.AsyncClient, app: FastAPI, identity: Identity
) -> None:
    for title, status in (("away", 503), ("busy", 429), ("bug", 500)):
        headers = {**identity.headers(), "Idempotency-Key": title}
        for _ in range(2):
            assert (
                await client.post("/api/things", json={**THING, "title": title}, headers=headers)
            ).status_code == status
    assert app.state.calls == 6


async def test_a_key_whose_process_died_expires(client: httpx.AsyncClient, app: FastAPI, identity: Identity) -> None:
    headers = {**identity.headers(), "Idempotency-Key": "one"}
    app.state.gate = asyncio.Event()
    abandoned = asyncio.create_task(client.post("/api/things", json=THING, headers=headers))
    await app.state.entered.get()
    keys = app.state.runtime.collection("idempotency_keys")
    # As after a kill: the claim stays, and a minute passes.
    await keys.update_many({}, {"$set": {"abandoned_at": utc_now() - timedelta(seconds=1)}})

    retry = asyncio.create_task(client.post("/api/things", json=THING, headers=headers))
    await app.state.entered.get()
    app.state.gate.set()

    assert (await retry).status_code == 201
    await abandoned


async def test_what_a_process_created_before_it_died_is_not_created_again(
    client: httpx.AsyncClient, app: FastAPI, identity: Identity
) -> None:
    headers = {**identity.headers(), "Idempotency-Key": "one"}
    async with dying_before_the_answer(app):
        await client.post("/api/things", json=THING, headers=headers)
        still_running = await client.post("/api/things", json=THING, headers=headers)
    assert still_running.status_code == 409
    things = app.state.things.collection
    made = await things.find_one({})

    answers = [await client.post("/api/things", json=THING, headers=headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert {answer.json()["id"] for answer in answers} == {made["_id"]}
    assert await things.count_documents({}) == 1


async def test_what_was_created_before_an_error_is_not_created_again(
    client: httpx.AsyncClient, app: FastAPI, identity: Identity
) -> None:
    headers = {**identity.headers(), "Idempotency-Key": "one"}
    body = {**THING, "title": "made, then away"}

    statuses = [(await client.post("/api/things", json=body, headers=headers)).status_code for _ in range(2)]

    assert statuses == [503, 201]
    assert await app.state.things.collection.count_documents({}) == 1


async def test_a_request_that_may_have_created_something_reserves_its_key(
    client: httpx.AsyncClient, identity: Identity
) -> None:
    headers = {**identity.headers(), "Idempotency-Key": "one"}
    for title, status in (("away", 503), ("A thing", 422), ("away", 503)):
        answer = await client.post("/api/things", json={**THING, "title": title}, headers=headers)
        assert answer.status_code == status


async def test_a_rejected_request_leaves_its_key_free(client: httpx.AsyncClient, identity: Identity) -> None:
    headers = {**identity.headers(), "Idempotency-Key": "one"}
    for title, status in (("busy", 429), ("A thing", 201)):
        answer = await client.post("/api/things", json={**THING, "title": title}, headers=headers)
        assert answer.status_code == status


async def test_a_malformed_key_is_refused(client: httpx.AsyncClient, app: FastAPI, identity: Identity) -> None:
    for key in (" ", "a b", "x" * 256, "ümlaut".encode()):
        headers = httpx.Headers({**identity.headers()}).raw
        answer = await client.post(
            "/api/things",
            json=THING,
            headers=[*headers, (b"idempotency-key", key if isinstance(key, bytes) else key.encode())],
        )
        assert answer.status_code == 422
    assert app.state.calls == 0


async def test_the_refusal_of_an_invalid_body_is_stored_too(
    client: httpx.AsyncClient, app: FastAPI, identity: Identity
) -> None:
    """The key is claimed before the body is validated, so it belongs to this body."""
    headers = {**identity.headers(), "Idempotency-Key": "one", "Content-Type": "application/json"}
    for body in (b'{"title": 1}', b"{", b"\xff"):
        headers["Idempotency-Key"] = body.hex()
        first, second = [await client.post("/api/things", content=body, headers=headers) for _ in range(2)]
        assert (first.status_code, second.status_code) == (422, 422)
        assert second.json() == first.json()
        assert second.headers["Idempotency-Replayed"] == "true"
        other = await client.post("/api/things", json=THING, headers=headers)
        assert [error["field"] for error in other.json()["errors"]] == ["Idempotency-Key"]
    assert app.state.calls == 0
