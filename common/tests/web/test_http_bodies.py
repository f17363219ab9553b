"""Bodies of requests from hostile peers: slow, too large, with trailers."""

import asyncio

import pytest
from fastapi import FastAPI

from ticketing_common.web import http_protocol, request_bodies
from ticketing_testkit.apps import Identity

from .raw_http import HEALTH, QUICK, Server, assert_a_refusal, connections, request


def post(identity: Identity, *headers: str) -> bytes:
    return request(
        "POST", "/api/things", f"Authorization: Bearer {identity.token()}", "Content-Type: application/json", *headers
    )


@pytest.mark.parametrize("kind", ["Content-Length: 60000", "Transfer-Encoding: chunked"])
async def test_a_body_that_comes_too_slowly_is_ended_with_408(
    server: Server, app: FastAPI, identity: Identity, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_bodies, "GRACE_SECONDS", QUICK)
    connection = await server.connect(post(identity, kind))
    dripping = asyncio.create_task(connection.drip(b"1\r\nx\r\n" * 1_000))
    assert_a_refusal(await connection.answer(), 408)
    assert await connection.is_closed()
    await dripping
    assert app.state.calls == 0


async def test_slow_bodies_do_not_count_as_in_flight(server: Server, identity: Identity) -> None:
    for _ in range(20):
        await server.connect(post(identity, "Content-Length: 60000") + b"{")
    metrics = (await server.client.get("/metrics")).text
    assert 'requests_in_flight{service="things"} 0.0' in metrics


async def test_trailers_become_no_headers(server: Server, identity: Identity, app: FastAPI) -> None:
    body = b'{"title": "A thing", "price": 10}'
    chunked = request("POST", "/api/things", "Content-Type: application/json", "Transfer-Encoding: chunked")
    sent = chunked + b"%x\r\n%b\r\n0\r\nAuthorization: Bearer %b\r\n\r\n" % (
        len(body),
        body,
        identity.token().encode(),
    )
    assert (await server.answer(sent)).status == 401


async def test_trailers_without_end_are_not_kept(
    server: Server, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_bodies, "GRACE_SECONDS", 2.0)  # long enough to look in between
    connection = await server.connect(post(identity, "Transfer-Encoding: chunked") + b"0\r\n")
    for number in range(2_000):
        connection.send(b"X-%d: x\r\n" % number)
    answering = asyncio.create_task(connection.answer())
    kept = 0
    while not answering.done():
        kept = max(
            [
                kept,
                *(
                    len(one.headers) + len(list(one.scope["headers"]))
                    for one in connections()
                    if getattr(one, "headers", None) is not None  # None before a request, though declared otherwise
                ),
            ]
        )
        await asyncio.sleep(0.01)
    assert_a_refusal(await answering, 408)
    assert 0 < kept < 10


async def test_an_announced_body_that_is_too_large_is_refused_before_it_comes(
    server: Server, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await server.connect(post(identity, "Content-Length: 99999999999999999999"))
    assert (await connection.answer()).status in {400, 413}
    monkeypatch.setattr(http_protocol, "DRAIN_SECONDS", QUICK)
    connection = await server.connect(post(identity, "Content-Length: 1000000"))
    assert (await connection.answer()).status == 413
    dripping = asyncio.create_task(connection.drip(b"x" * 10_000))
    assert await connection.is_closed(), "the rest of it is not waited for"
    await dripping


async def test_after_a_refusal_the_rest_of_a_short_body_is_skipped(server: Server, identity: Identity) -> None:
    connection = await server.connect(post(identity, "Content-Length: 70000") + b"x" * 69_999)
    assert (await connection.answer()).status == 413
    connection.send(b"x" + HEALTH)
    assert (await connection.answer()).status == 200
