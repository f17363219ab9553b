"""GET /api/tickets/stream: how many streams one address and one user get, and how often they may open one."""

import asyncio
from contextlib import AsyncExitStack

import httpx
import pytest

from ticketing_common.entity import new_id
from ticketing_common.web import live_feed
from ticketing_testkit.apps import Bus, Identity, serve_app
from ticketing_testkit.event_streams import Shown, listen
from ticketing_tickets.app import create_app
from ticketing_tickets.settings import Settings

STREAM = "/api/tickets/stream"


def of(address: str) -> dict[str, str]:
    """The server trusts a proxy on this machine."""
    return {"X-Forwarded-For": address}


async def test_one_address_cannot_take_the_places_of_others(service_settings: dict[str, object], bus: Bus) -> None:
    settings = Settings.model_validate(service_settings | {"max_streams": 10, "max_streams_per_address": 5})
    async with serve_app(create_app(settings)) as client, AsyncExitStack() as streams:
        clients = await streams.enter_async_context(
            httpx.AsyncClient(base_url=client.base_url, limits=httpx.Limits(max_connections=None), timeout=30)
        )
        for _ in range(5):
            await streams.enter_async_context(listen(clients, STREAM, headers=of("203.0.113.1")))
        refused = await clients.get(STREAM, headers=of("203.0.113.1"))
        assert refused.status_code == 429
        assert refused.headers["content-type"] == "application/problem+json"
        assert int(refused.headers["retry-after"]) > 0
        async with listen(clients, STREAM, headers=of("203.0.113.2")) as stream:
            assert (await stream.next()).event == "ready"


async def test_one_user_gets_so_many_from_all_addresses(
    service_settings: dict[str, object], bus: Bus, identity: Identity
) -> None:
    settings = Settings.model_validate(service_settings | {"max_streams_per_user": 2})
    signed_in = identity.headers(new_id())
    async with serve_app(create_app(settings)) as client, AsyncExitStack() as streams:
        for number in (1, 2):
            where = signed_in | of(f"203.0.113.{number}")
            await streams.enter_async_context(listen(client, STREAM, headers=where))
        assert (await client.get(STREAM, headers=signed_in | of("203.0.113.3"))).status_code == 429
        async with listen(client, STREAM, headers=of("203.0.113.3")) as stream:
            assert (await stream.next()).event == "ready"


async def test_opening_and_closing_in_a_loop_is_refused_after_so_many(
    service_settings: dict[str, object], bus: Bus
) -> None:
    settings = Settings.model_validate(service_settings | {"max_stream_opens_per_minute": 3})
    async with serve_app(create_app(settings)) as client:
        for left in (2, 1, 0):
            async with listen(client, STREAM) as stream:
                assert stream.answer.headers["ratelimit-policy"] == '"streams";q=3;w=60'
                assert stream.answer.headers["ratelimit"].startswith(f'"streams";r={left};t=')
        refused = await client.get(STREAM)
        assert refused.status_code == 429
        assert refused.headers["ratelimit"].startswith('"streams";r=0;t=')
        assert 0 < int(refused.headers["retry-after"]) <= 60
        async with listen(client, STREAM, headers=of("203.0.113.2")) as stream:
            assert (await stream.next()).event == "ready"


@pytest.mark.parametrize("after", ["0", "9999999", "-" + "9" * 18, "7" * 30_000, "0" * 30_000, "x" * 30_000], ids=len)
async def test_any_last_event_id_gets_an_immediate_response(
    client: httpx.AsyncClient, bus: Bus, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_feed, "OVERTAKEN_SECONDS", 600.0)
    async with asyncio.timeout(30), listen(client, STREAM, after=after) as stream:
        if after == "0":  # nothing has happened yet, so nothing was missed
            assert stream.answer.status_code == 200
        else:
            assert await stream.next() == Shown("reset", 0, "{}")
