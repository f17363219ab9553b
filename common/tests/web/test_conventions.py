"""The conventions of all services for valid and invalid requests."""

import json
from typing import Any

import httpx
from fastapi import FastAPI

from ticketing_testkit.apps import Identity

THING: dict[str, Any] = {"title": "A thing", "price": 10}


async def test_input_that_is_not_valid_is_named_and_changes_nothing(
    client: httpx.AsyncClient, app: FastAPI, identity: Identity
) -> None:
    bodies: list[tuple[object, str | None]] = [
        ({**THING, "price": "10"}, "price"),
        ({**THING, "price": True}, "price"),
        ({**THING, "price": None}, "price"),
        ({**THING, "price": 0}, "price"),
        ({**THING, "price": -1}, "price"),
        ({**THING, "price": 0.001}, "price"),
        ({**THING, "price": 10.999}, "price"),
        ({**THING, "price": 1_000_000.01}, "price"),
        ({**THING, "price": [1]}, "price"),
        ({**THING, "title": 5}, "title"),
        ({"price": 10}, "title"),
        ({**THING, "colour": "red"}, "colour"),
        ([THING], None),
        ("text", None),
        (None, None),
    ]
    for body, field in bodies:
        answer = await client.post("/api/things", json=body, headers=identity.headers())

        assert answer.status_code == 422, body
        assert answer.headers["Content-Type"] == "application/problem+json", body
        problem = answer.json()
        assert problem["status"] == 422, body
        assert {error.get("field") for error in problem["errors"]} == {field}, body
        assert await app.state.things.collection.count_documents({}) == 0, body


async def test_what_is_not_json_is_refused(client: httpx.AsyncClient, identity: Identity) -> None:
    headers = {**identity.headers(), "Content-Type": "application/json"}
    contents = {
        "empty": b"",
        "not closed": b"{",
        "NaN": b'{"title": "A thing", "price": NaN}',
        "infinity": b'{"price": 1e999, "title": "x"}',
        "null byte": b"\x00",
        "no UTF-8": b'{"title": "\xff\xfe", "price": 1}',
        "nested too deeply": b'{"title": ' + b"[" * 20_000,
        "too many digits": b'{"title": "x", "price": ' + b"1" * 5_000 + b"}",
    }
    for name, content in contents.items():
        answer = await client.post("/api/things", content=content, headers=headers)
        assert answer.status_code == 422, name
        assert answer.headers["content-type"] == "application/problem+json", name
        assert answer.json()["errors"], name


async def test_a_form_is_not_json(client: httpx.AsyncClient, identity: Identity) -> None:
    answer = await client.post("/api/things", data={"title": "A thing"}, headers=identity.headers())
    assert answer.status_code in {415, 422}


async def test_prices_are_exact_to_the_cent(client: httpx.AsyncClient, app: FastAPI, identity: Identity) -> None:
    for price, cents in ((19.99, 1999), (0.01, 1), (1_000_000, 100_000_000), (0.29, 29), (1.1, 110)):
        answer = await client.post("/api/things", json={**THING, "price": price}, headers=identity.headers())

        assert answer.json()["price"] == price
        assert (await app.state.things.get(answer.json()["id"])).price_cents == cents, price


async def test_a_huge_body_is_not_read(client: httpx.AsyncClient, identity: Identity) -> None:
    headers = {**identity.headers(), "Content-Type": "application/json"}
    huge = json.dumps({**THING, "title": "x" * 70_000})

    async def unannounced() -> Any:
        for start in range(0, len(huge), 1_000):
            yield huge[start : start + 1_000].encode()

    announced = await client.post("/api/things", content=huge, headers=headers)
    chunked = await client.post("/api/things", content=unannounced(), headers=headers)
    with_key = {**headers, "Idempotency-Key": "1"}  # then the body is read before the route is reached
    repeatable = await client.post("/api/things", content=unannounced(), headers=with_key)

    for answer in (announced, chunked, repeatable):
        assert answer.status_code == 413
        assert answer.headers["Content-Type"] == "application/problem+json"


async def test_of_very_many_faults_the_first_are_named(client: httpx.AsyncClient, identity: Identity) -> None:
    body = {**THING, **{f"unknown{number}": 1 for number in range(2_000)}}
    answer = await client.post("/api/things", json=body, headers=identity.headers())
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [f"unknown{number}" for number in range(50)]


async def test_an_unknown_or_malformed_id_is_not_found(client: httpx.AsyncClient) -> None:
    for thing_id in ("abc", "z" * 24, "0" * 23, "0" * 25, "A" * 24, "%00", "65f0c0ffee0123456789abcd"):
        answer = await client.get(f"/api/things/{thing_id}")
        assert answer.status_code == 404, thing_id
        assert answer.headers["Content-Type"] == "application/problem+json", thing_id


async def test_an_unknown_path_and_a_wrong_method_are_problems_too(client: httpx.AsyncClient) -> None:
    unknown, method = await client.get("/api/nothing"), await client.patch("/api/things")
    assert (unknown.status_code, method.status_code) == (404, 405)
    assert unknown.headers["Content-Type"] == method.headers["Content-Type"] == "application/problem+json"
    assert "GET" in method.headers["Allow"] or "POST" in method.headers["Allow"]


async def test_an_unexpected_error_discloses_only_a_request_id(client: httpx.AsyncClient, identity: Identity) -> None:
    headers = {**identity.headers(), "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    answer = await client.post("/api/things", json={**THING, "title": "bug"}, headers=headers)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.json()["requestId"] == "a" * 32


async def test_a_retry_later_refusal_has_the_seconds(client: httpx.AsyncClient, identity: Identity) -> None:
    for title, status, seconds in (("busy", 429, "7"), ("away", 503, "3")):
        answer = await client.post("/api/things", json={**THING, "title": title}, headers=identity.headers())
        assert (answer.status_code, answer.headers["Retry-After"]) == (status, seconds)


async def test_a_401_names_no_sign_in_details(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/things", json=THING)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_health_readiness_metrics_and_documentation(client: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/readyz", "/metrics", "/api/things/openapi.json", "/api/things/docs"):
        assert (await client.get(path)).status_code == 200, path
    metrics = (await client.get("/metrics")).text
    assert 'route="/healthz"' in metrics


async def test_a_walk_through_the_pages_sees_everything_once(client: httpx.AsyncClient, identity: Identity) -> None:
    made = [(await client.post("/api/things", json=THING, headers=identity.headers())).json()["id"] for _ in range(7)]
    seen: list[str] = []
    path: str | None = "/api/things?limit=3&colour=red"
    while path:
        answer = await client.get(path)
        seen += [thing["id"] for thing in answer.json()]
        path = answer.links.get("next", {}).get("url")
        assert path is None or (path.startswith("/api/things?limit=3&colour=red&cursor="))
    assert sorted(seen) == sorted(made)


async def test_a_cursor_is_bound_to_its_query(client: httpx.AsyncClient, identity: Identity) -> None:
    for _ in range(2):
        await client.post("/api/things", json=THING, headers=identity.headers())
    following = (await client.get("/api/things?limit=1")).links["next"]["url"]

    for path in (f"{following}&colour=red", "/api/things?cursor=nonsense", "/api/things?cursor=%F0%9F%98%80"):
        answer = await client.get(path)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "cursor"


async def test_limits_have_limits(client: httpx.AsyncClient) -> None:
    for limit in ("0", "101", "-1", "x"):
        answer = await client.get(f"/api/things?limit={limit}")
        assert answer.status_code == 422, limit
        assert answer.json()["errors"][0]["field"] == "limit", limit
