"""GET /api/tickets/stream over real sockets: every change of every ticket, immediately and without a gap."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from ticketing_common.delivery import stream_reader
from ticketing_common.entity import new_id
from ticketing_common.events import OrderCreated
from ticketing_common.messaging import ensure_stream, stream_config
from ticketing_common.topology import TICKETS
from ticketing_testkit.apps import Bus, serve_app
from ticketing_testkit.event_streams import Shown, listen
from ticketing_testkit.servers import NatsServer
from ticketing_testkit.waiting import until
from ticketing_tickets import app as app_room
from ticketing_tickets.app import create_app
from ticketing_tickets.settings import Settings

from .conftest import OrderScenario

STREAM = "/api/tickets/stream"
Sell = Callable[..., Awaitable[dict[str, Any]]]


async def published(bus: Bus, count: int) -> int:
    """Wait until the bus has this many events about tickets; returns the sequence of the last."""

    async def arrived() -> bool:
        return bool((await bus.js.stream_info(TICKETS)).state.messages >= count)

    await until(arrived)
    last: int = (await bus.js.stream_info(TICKETS)).state.last_seq
    return last


def titles(shown: list[Shown]) -> list[str]:
    return [json.loads(one.data)["title"] for one in shown]


async def test_a_new_connection_receives_ready_and_then_every_change_as_get_shows_it(
    client: httpx.AsyncClient, seller: dict[str, str], sell: Sell, bus: Bus
) -> None:
    async with listen(client, STREAM) as stream:
        assert stream.answer.headers["content-type"].startswith("text/event-stream")
        assert stream.answer.headers["cache-control"] == "no-cache, no-transform"
        assert await stream.next() == Shown("ready", 0, "{}")

        ticket = await sell()
        created = await stream.next()
        assert (created.event, created.id) == ("ticket.created", 1)
        assert json.loads(created.data) == ticket

        path = f"/api/tickets/{ticket['id']}"
        edited = await client.put(path, json={"title": "Seat 8", "price": 21}, headers=seller)
        updated = await stream.next()
        assert (updated.event, updated.id, json.loads(updated.data)) == ("ticket.updated", 2, edited.json())

        scenario = OrderScenario(ticket["id"])
        await bus.publish(OrderCreated.of(scenario.created))
        held = json.loads((await stream.next()).data)
        assert held == (await client.get(path)).json()
        assert held["status"] == "held"

        gone = await sell("Seat 9")
        await client.delete(f"/api/tickets/{gone['id']}", headers=seller)
        _, deleted = await stream.take(2)
        assert (deleted.event, json.loads(deleted.data)) == ("ticket.deleted", {"id": gone["id"], "version": 2})


async def test_a_reconnecting_client_receives_what_it_missed_and_nothing_twice(
    client: httpx.AsyncClient, sell: Sell, bus: Bus
) -> None:
    async with listen(client, STREAM) as stream:
        await stream.next()
        await sell("one")
        seen = await stream.next()
    for title in ("two", "three"):
        await sell(title)
    await published(bus, 3)
    async with listen(client, STREAM, after=seen.id) as stream:
        assert titles(await stream.take(2)) == ["two", "three"]
        await sell("four")
        last = await stream.next()
        assert (titles([last]), last.id) == (["four"], 4)
    async with listen(client, STREAM, after=last.id) as stream:
        await sell("five")
        assert titles(await stream.take(1)) == ["five"]


async def test_a_replica_that_just_started_knows_the_earlier_events(
    client: httpx.AsyncClient, settings: Settings, sell: Sell, bus: Bus
) -> None:
    for title in ("one", "two", "three"):
        await sell(title)
    await published(bus, 3)
    async with serve_app(create_app(settings)) as replica, listen(replica, STREAM, after=1) as stream:
        assert titles(await stream.take(2)) == ["two", "three"]
        await sell("four")
        assert titles(await stream.take(1)) == ["four"]


@pytest.mark.parametrize("after", ["7", "-1", "yesterday", "9" * 30, "²"], ids=ascii)
async def test_an_unknown_last_event_id_means_a_reset(client: httpx.AsyncClient, sell: Sell, after: str) -> None:
    async with listen(client, STREAM) as stream:
        await sell()
        await stream.take(2)  # so the feed has it, and not the bus only
    async with listen(client, STREAM, after=after.encode("ascii", "replace").decode()) as stream:
        assert await stream.next() == Shown("reset", 1, "{}")
        await sell("next")
        assert titles(await stream.take(1)) == ["next"]


async def test_a_too_old_last_event_id_means_a_reset(
    settings: Settings, seller: dict[str, str], bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_room, "HISTORY", 3)
    async with serve_app(create_app(settings)) as client:
        for number in range(5):
            await client.post("/api/tickets", json={"title": f"Seat {number}", "price": 1}, headers=seller)
        async with listen(client, STREAM, after=await published(bus, 5)) as stream:
            await client.post("/api/tickets", json={"title": "Seat 5", "price": 1}, headers=seller)
            assert titles(await stream.take(1)) == ["Seat 5"]  # so the feed has them all
        async with listen(client, STREAM, after=3) as stream:
            assert titles(await stream.take(3)) == ["Seat 3", "Seat 4", "Seat 5"]
        async with listen(client, STREAM, after=2) as stream:
            assert await stream.next() == Shown("reset", 6, "{}")


async def test_two_hundred_streams_show_the_same_changes(client: httpx.AsyncClient, sell: Sell) -> None:
    async with AsyncExitStack() as open_streams:
        limits = httpx.Limits(max_connections=None)
        clients = await open_streams.enter_async_context(
            httpx.AsyncClient(base_url=client.base_url, limits=limits, timeout=30)
        )
        streams = [await open_streams.enter_async_context(listen(clients, STREAM)) for _ in range(200)]
        await asyncio.gather(*(sell(f"Seat {number}") for number in range(20)))
        seen = await asyncio.gather(*(stream.take(21) for stream in streams))
    assert [shown.id for shown in seen[0]] == list(range(21))
    assert all(one == seen[0] for one in seen)


async def test_a_broker_that_is_killed_costs_no_event(
    client: httpx.AsyncClient, sell: Sell, nats_server: NatsServer
) -> None:
    async with listen(client, STREAM) as stream:
        await stream.next()
        await sell("before")
        assert titles(await stream.take(1)) == ["before"]
        nats_server.kill()
        for title in ("meanwhile", "later"):
            await sell(title)
        await asyncio.to_thread(nats_server.start)
        await sell("afterwards")
        assert sorted(titles(await stream.take(3))) == ["afterwards", "later", "meanwhile"]


async def test_a_bus_that_lost_its_events_resets_every_stream(
    client: httpx.AsyncClient, sell: Sell, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_reader, "FETCH_SECONDS", 0.5)
    async with listen(client, STREAM) as stream:
        await stream.next()
        await sell("before")
        await stream.next()
        await bus.js.delete_stream(TICKETS)
        await ensure_stream(bus.js, stream_config(TICKETS, replicas=1))
        assert (await stream.next()).event == "reset"
        await sell("afterwards")
        assert titles(await stream.take(1)) == ["afterwards"]


async def test_a_republished_event_is_shown_again_and_changes_nothing(
    client: httpx.AsyncClient, sell: Sell, bus: Bus
) -> None:
    """`ticketing resync` publishes the current state again; a page ignores it by its version."""
    async with listen(client, STREAM) as stream:
        await stream.next()
        ticket = await sell()
        created = await stream.next()
        stored = await bus.js.get_msg(TICKETS, created.id)
        republished = json.loads(stored.data or b"{}")
        republished |= {"id": new_id(), "type": "dev.ticketing.ticket.updated.v1"}
        await bus.js.publish(f"ticket.updated.{ticket['id']}", json.dumps(republished).encode())
        again = await stream.next()
        assert (again.event, json.loads(again.data)) == ("ticket.updated", ticket)
