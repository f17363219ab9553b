"""GET /api/orders/{id}/stream over real sockets: an order as it is, and as it becomes."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import (
    PaymentData,
    PaymentStatus,
    RevocationReason,
    TicketData,
    UserData,
    UserSessionsRevoked,
)
from ticketing_common.web import LiveFeed, SseMessage, Viewer
from ticketing_orders.app import create_app
from ticketing_orders.domain import Order
from ticketing_orders.feed import order_as_message
from ticketing_orders.publishers import order_created
from ticketing_orders.service import OrderService
from ticketing_orders.settings import Settings
from ticketing_testkit.apps import Bus, Identity, serve_app
from ticketing_testkit.event_streams import listen
from ticketing_testkit.waiting import until

BUYER = new_id()


@pytest.fixture
def app(service_settings: dict[str, object], bus: Bus) -> FastAPI:
    """On a bus of this test's own; the streams of its neighbours are there."""
    return create_app(Settings.model_validate(service_settings))


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with serve_app(app) as connected:
        yield connected


@pytest.fixture
def buyer(identity: Identity) -> dict[str, str]:
    return identity.headers(BUYER)


@pytest.fixture
async def order(
    app: FastAPI, client: httpx.AsyncClient, buyer: dict[str, str], make_ticket: Callable[..., TicketData]
) -> dict[str, Any]:
    """A ticket held by the buyer."""
    ticket = make_ticket()
    await app.state.service.follow_ticket(ticket)
    answer = await client.post("/api/orders", json={"ticketId": ticket.id}, headers=buyer)
    assert answer.status_code == 201
    placed: dict[str, Any] = answer.json()
    return placed


def path(order: dict[str, Any]) -> str:
    return f"/api/orders/{order['id']}/stream"


async def reached(feed: LiveFeed, position: int) -> None:
    await until(lambda: feed.position >= position)


async def test_it_begins_with_the_order_as_it_is_and_two_tabs_see_the_same_end(
    client: httpx.AsyncClient, order: dict[str, Any], buyer: dict[str, str]
) -> None:
    async with listen(client, path(order), headers=buyer) as one, listen(client, path(order), headers=buyer) as two:
        assert one.answer.headers["content-type"].startswith("text/event-stream")
        assert one.answer.headers["cache-control"] == "no-cache, no-transform"
        for tab in (one, two):
            begun = await tab.next()
            assert (begun.event, json.loads(begun.data)) == ("order", order)
        await client.delete(f"/api/orders/{order['id']}", headers=buyer)
        cancelled = (await client.get(f"/api/orders/{order['id']}", headers=buyer)).json()
        assert cancelled["status"] == "cancelled"
        ends = []
        for tab in (one, two):
            # The event of its creation may have arrived after the stream was opened.
            while json.loads((message := await tab.next()).data) == order:
                assert message.event == "order"
            ends.append(message)
        assert ends[0] == ends[1]
        assert json.loads(ends[0].data) == cancelled


async def test_a_part_refund_and_a_dispute_arrive_live(
    app: FastAPI,
    client: httpx.AsyncClient,
    order: dict[str, Any],
    buyer: dict[str, str],
    make_payment: Callable[..., PaymentData],
) -> None:
    service: OrderService = app.state.service
    payment = make_payment(await service.get(order["id"], user_id=BUYER))
    await service.follow_payment(payment)
    changes = {"version": payment.version + 2, "status": PaymentStatus.CAPTURED, "refunded_cents": 550}
    async with listen(client, path(order), headers=buyer) as stream:
        await service.follow_payment(payment.model_copy(update=changes))
        await service.follow_payment(payment.model_copy(update=changes | {"version": 9, "disputed": True}))
        seen: list[tuple[float | None, bool | None]] = []
        while not seen or not seen[-1][1]:
            shown = json.loads((await stream.next()).data)
            seen.append((shown["refundedAmount"], shown["disputed"]))
    assert seen[-2:] == [(5.5, False), (5.5, True)]
    current = (await client.get(f"/api/orders/{order['id']}", headers=buyer)).json()
    assert current == shown


async def test_no_user_receives_the_stream_of_another_users_order(
    client: httpx.AsyncClient, order: dict[str, Any], identity: Identity, buyer: dict[str, str]
) -> None:
    assert (await client.get(path(order))).status_code == 401
    assert (await client.get(path(order), headers=identity.headers(new_id()))).status_code == 403
    assert (await client.get(path({"id": new_id()}), headers=buyer)).status_code == 404
    assert (await client.get(path({"id": "nothing"}), headers=buyer)).status_code == 404


async def test_the_orders_of_others_are_not_shown(
    app: FastAPI,
    client: httpx.AsyncClient,
    order: dict[str, Any],
    buyer: dict[str, str],
    bus: Bus,
    make_order: Callable[..., Order],
) -> None:
    feed: LiveFeed = app.state.feed
    await reached(feed, 1)
    async with listen(client, path(order), headers=buyer) as stream:
        await stream.next()
        other = make_order()
        other.version = 1
        await bus.publish(order_created(other))
        await reached(feed, 2)
        await client.delete(f"/api/orders/{order['id']}", headers=buyer)
        assert json.loads((await stream.next()).data)["id"] == order["id"]


async def test_what_is_older_than_the_state_it_began_with_is_not_shown_after_it(
    app: FastAPI, client: httpx.AsyncClient, bus: Bus, make_order: Callable[..., Order]
) -> None:
    feed: LiveFeed = app.state.feed
    order = make_order()

    async def publish(version: int) -> None:
        order.version = version
        expected = feed.position + 1
        await bus.publish(order_created(order))
        await reached(feed, expected)

    async def state() -> tuple[int, SseMessage]:
        """While the state is read, an older event arrives."""
        await publish(1)
        order.version = 3
        return 3, order_as_message(order)

    def version_of(chunk: bytes) -> int:
        assert chunk.count(b"event: order\n") == 1
        version: int = json.loads(chunk.partition(b"data: ")[2])["version"]
        return version

    async with feed.watch(Viewer("203.0.113.9"), order.id, state, until=utc_now() + timedelta(minutes=1)) as follower:
        chunks = follower.chunks()
        assert version_of(await anext(chunks)) == 3
        await publish(2)
        await publish(4)
        assert version_of(await anext(chunks)) == 4
        await chunks.aclose()


async def test_streams_of_one_user_are_limited_and_a_refused_one_does_not_count(
    service_settings: dict[str, object], bus: Bus, identity: Identity, make_ticket: Callable[..., TicketData]
) -> None:
    app = create_app(Settings.model_validate(service_settings | {"max_streams_per_user": 2}))
    buyer = identity.headers(BUYER)
    async with serve_app(app) as client:
        ticket = make_ticket()
        await app.state.service.follow_ticket(ticket)
        order = (await client.post("/api/orders", json={"ticketId": ticket.id}, headers=buyer)).json()
        for headers, status in ((identity.headers(new_id()), 403), (buyer, 404)):
            named = order if status == 403 else {"id": new_id()}
            assert (await client.get(path(named), headers=headers)).status_code == status
            assert app.state.feed.limits.taken == 0
        async with listen(client, path(order), headers=buyer), listen(client, path(order), headers=buyer):
            refused = await client.get(path(order), headers=buyer)
            assert refused.status_code == 429
            assert int(refused.headers["retry-after"]) > 0


async def test_a_stream_ends_when_all_sessions_of_its_account_are_ended_and_its_token_is_refused(
    client: httpx.AsyncClient, order: dict[str, Any], identity: Identity, bus: Bus
) -> None:
    former, new = (identity.headers(BUYER, session_epoch=epoch) for epoch in (0, 1))
    async with listen(client, path(order), headers=former) as ended, listen(client, path(order), headers=new) as other:
        await ended.next()
        await other.next()
        await bus.publish(
            UserSessionsRevoked.of(
                UserData(
                    id=BUYER,
                    version=2,
                    user_id=BUYER,
                    session_epoch=1,
                    revoked_before=utc_now(),
                    tokens_end_at=utc_now() + timedelta(hours=1),
                    reason=RevocationReason.SIGNED_OUT,
                )
            )
        )
        assert await ended.rest() == []
        assert (await client.get(f"/api/orders/{order['id']}", headers=former)).status_code == 401
        assert (await client.delete(f"/api/orders/{order['id']}", headers=new)).status_code == 204
        assert '"status":"cancelled"' in (await other.next()).data


async def test_a_stream_ends_with_the_session(
    client: httpx.AsyncClient, order: dict[str, Any], identity: Identity
) -> None:
    brief = identity.headers(BUYER, exp=int(time.time()) + 3)
    async with listen(client, path(order), headers=brief) as stream:
        await stream.next()
        assert all(json.loads(message.data)["id"] == order["id"] for message in await stream.rest())


async def test_a_stream_shows_the_current_state_while_the_broker_is_down(
    app: FastAPI, client: httpx.AsyncClient, order: dict[str, Any], buyer: dict[str, str], nats_server: Any
) -> None:
    await reached(app.state.feed, 1)
    nats_server.kill()
    async with listen(client, path(order), headers=buyer) as stream:
        assert json.loads((await stream.next()).data) == order
        await client.delete(f"/api/orders/{order['id']}", headers=buyer)
        await asyncio.to_thread(nats_server.start)
        assert json.loads((await stream.next()).data)["status"] == "cancelled"
