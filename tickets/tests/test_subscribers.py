"""The message adapter on a real bus: events of orders come in, events of the ticket go out."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import nats
import pytest

from ticketing_common.delivery.resync import resync_subject
from ticketing_common.events import (
    OrderCancelled,
    OrderCompleted,
    OrderCreated,
    TicketCreated,
    TicketDeleted,
    TicketStatus,
    TicketUpdated,
    UserDeleted,
)
from ticketing_common.storage import Database
from ticketing_common.topology import ORDERS, USERS
from ticketing_testkit.apps import Bus, Identity, run_app
from ticketing_tickets.app import create_app
from ticketing_tickets.departures import Departures
from ticketing_tickets.repository import TicketRepository
from ticketing_tickets.service import TicketService
from ticketing_tickets.settings import Settings
from ticketing_tickets.subscribers import subscriptions

from .conftest import SELLER, OrderScenario


@pytest.fixture
async def api(service_settings: dict[str, Any], bus: Bus) -> AsyncIterator[httpx.AsyncClient]:
    async with run_app(create_app(Settings(**service_settings))) as client:
        yield client


@pytest.fixture
def seller(identity: Identity) -> dict[str, str]:
    return identity.headers(SELLER)


async def list_ticket(api: httpx.AsyncClient, seller: dict[str, str]) -> str:
    answer = await api.post("/api/tickets", json={"title": "Seat 7", "price": 19.99}, headers=seller)
    assert answer.status_code == 201
    return str(answer.json()["id"])


async def test_every_fact_of_orders_and_every_deleted_account_has_its_handler(
    service: TicketService, tickets: TicketRepository, database: Database
) -> None:
    orders, users = subscriptions(service, Departures(database["departures"], tickets))

    assert (users.stream, set(users.handlers)) == (USERS, {UserDeleted})
    assert users.durable("tickets") == "tickets-users"

    assert orders.stream == ORDERS
    assert set(orders.handlers) == {OrderCreated, OrderCompleted, OrderCancelled}
    assert orders.durable("tickets") == "tickets-orders"


async def test_a_ticket_is_held_freed_held_again_and_sold_and_each_change_is_published(
    api: httpx.AsyncClient, bus: Bus, seller: dict[str, str]
) -> None:
    ticket_id = await list_ticket(api, seller)
    first, second = OrderScenario(ticket_id), OrderScenario(ticket_id, minute=1)

    async def changed(status: TicketStatus, order_id: str | None, version: int) -> None:
        event = await bus.expect(TicketUpdated, lambda e: e.data.id == ticket_id and e.data.version == version)
        assert (event.data.status, event.data.order_id) == (status, order_id)
        assert event.data.price_cents == 1_999

    created = await bus.expect(TicketCreated, lambda e: e.data.id == ticket_id)
    assert (created.data.status, created.data.user_id, created.data.version) == (TicketStatus.AVAILABLE, SELLER, 1)
    await bus.publish(OrderCreated.of(first.created))
    await changed(TicketStatus.HELD, first.id, 2)
    await bus.publish(OrderCancelled.of(first.cancelled))
    await changed(TicketStatus.AVAILABLE, None, 3)
    await bus.publish(OrderCreated.of(second.created))
    await changed(TicketStatus.HELD, second.id, 4)
    # An event id of its own each time: the broker's own filter for duplicates does not help here.
    for stale in (OrderCancelled.of(first.cancelled), OrderCreated.of(first.created), OrderCreated.of(second.created)):
        await bus.publish(stale)
    await bus.publish(OrderCompleted.of(second.completed))
    await changed(TicketStatus.SOLD, second.id, 5)

    assert (await api.get(f"/api/tickets/{ticket_id}")).json()["status"] == "sold"
    edit = await api.put(f"/api/tickets/{ticket_id}", json={"title": "Other", "price": 1}, headers=seller)
    assert edit.status_code == 409


async def test_an_order_for_a_deleted_ticket_is_answered_with_the_deletion_at_a_higher_version(
    api: httpx.AsyncClient, bus: Bus, seller: dict[str, str]
) -> None:
    ticket_id = await list_ticket(api, seller)
    assert (await api.delete(f"/api/tickets/{ticket_id}", headers=seller)).status_code == 204
    gone = await bus.expect(TicketDeleted, lambda e: e.data.id == ticket_id)
    assert gone.data.version == 2

    await bus.publish(OrderCreated.of(OrderScenario(ticket_id).created))

    answer = await bus.expect(TicketDeleted, lambda e: e.data.id == ticket_id and e.data.version == 3)
    assert answer.data.status is TicketStatus.DELETED
    assert answer.data.order_id is None


async def test_a_resync_publishes_every_ticket_as_it_is_and_tombstones_as_deleted(
    api: httpx.AsyncClient, bus: Bus, nats_url: str, seller: dict[str, str]
) -> None:
    on_sale, deleted = await list_ticket(api, seller), await list_ticket(api, seller)
    await api.delete(f"/api/tickets/{deleted}", headers=seller)
    await bus.expect(TicketDeleted, lambda e: e.data.id == deleted)
    await bus.expect(TicketCreated, lambda e: e.data.id == on_sale)
    await bus.js.purge_stream("TICKETS")

    connection = await nats.connect(nats_url)  # as the `ticketing` command does it
    report = await connection.request(resync_subject("tickets"), timeout=30)
    await connection.close()

    assert json.loads(report.data) == {"done": True, "restated": 2}
    assert (await bus.expect(TicketUpdated, lambda e: e.data.id == on_sale)).data.version == 1
    assert (await bus.expect(TicketDeleted, lambda e: e.data.id == deleted)).data.version == 2
