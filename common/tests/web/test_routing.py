"""The router's own responses: methods, slashes and unknown paths."""

import httpx
import pytest
from fastapi import FastAPI

from ticketing_testkit.apps import Identity

PATHS = ("/healthz", "/readyz", "/metrics", "/api/things", "/api/things/openapi.json", "/api/things/docs")


async def test_head_is_get_without_the_body(client: httpx.AsyncClient) -> None:
    for path in (*PATHS, "/api/things/docs/swagger-ui.css"):
        got, head = await client.get(path), await client.head(path)
        assert (head.status_code, head.content) == (got.status_code, b"") == (200, b""), path
        assert head.headers["Content-Type"] == got.headers["Content-Type"], path
        if path != "/metrics":  # it counts these two
            assert head.headers["Content-Length"] == got.headers["Content-Length"], path


async def test_head_of_one_thing_and_of_none(client: httpx.AsyncClient, identity: Identity) -> None:
    made = (await client.post("/api/things", json={"title": "A", "price": 1}, headers=identity.headers())).json()
    there, gone = await client.head(f"/api/things/{made['id']}"), await client.head(f"/api/things/{'0' * 24}")
    assert (there.status_code, gone.status_code) == (200, 404)
    assert there.content == gone.content == b""
    assert gone.headers["Content-Type"] == "application/problem+json"


async def test_head_is_measured_as_head(client: httpx.AsyncClient) -> None:
    await client.head("/api/things")
    assert 'method="HEAD",route="/api/things",' in (await client.get("/metrics")).text


async def test_a_wrong_method_gets_the_allowed_ones(client: httpx.AsyncClient) -> None:
    allowed = {
        "/api/things": "GET, HEAD, OPTIONS, POST",
        **dict.fromkeys(
            (
                *("/api/things/65f0c0ffee0123456789abcd", "/healthz", "/metrics", "/api/things/openapi.json"),
                *("/api/things/docs", "/api/things/docs/swagger-ui-bundle.js"),
            ),
            "GET, HEAD, OPTIONS",
        ),
    }
    for path, methods in allowed.items():
        for method in ("PATCH", "DELETE", "PROPFIND", "TRACE", "BREW"):
            answer = await client.request(method, path)
            assert (answer.status_code, answer.headers["Allow"]) == (405, methods), (method, path)
            assert answer.headers["Content-Type"] == "application/problem+json", (method, path)
            assert answer.json()["errors"], (method, path)
        options = await client.options(path)
        assert (options.status_code, options.content, options.headers["Allow"]) == (204, b"", methods), path


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "PATCH"])
async def test_a_path_that_is_not_exactly_ours_is_not_found(client: httpx.AsyncClient, method: str) -> None:
    paths = (
        *(f"{path}/" for path in PATHS),
        "/api/things/65f0c0ffee0123456789abcd/",
        "/api//things",
        "/api/things//",
        "//api/things",
        "/api%2Fthings",
        "/api/things%2f65f0c0ffee0123456789abcd",
        "/API/things",
        "/docs",
        "/docs/oauth2-redirect",
        "/openapi.json",
        "/redoc",
        "/",
    )
    for path in paths:
        answer = await client.request(method, f"http://testserver{path}")
        assert answer.status_code == 404, path
        assert answer.headers["Content-Type"] == "application/problem+json", path
        assert "Location" not in answer.headers, path


async def test_no_other_spelling_of_a_path_makes_a_thing_without_its_key(
    client: httpx.AsyncClient, app: FastAPI, identity: Identity
) -> None:
    """An Idempotency-Key belongs to one path, so no other spelling of it may create a resource."""
    headers = {**identity.headers(), "Idempotency-Key": "once"}
    for path in ("/api/things", "/api/things/", "/api%2Fthings", "/api/%74hings", "//api/things", "/api/things?a=b"):
        await client.post(f"http://testserver{path}", json={"title": "A", "price": 1}, headers=headers)
    assert await app.state.things.collection.count_documents({}) == 1
