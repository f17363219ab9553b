"""Many orders of one listing: every seat counted once, whatever the order of arrival, with few writes."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from ticketing_common.entity import new_id
from ticketing_common.events import OrderData, OrderStatus, TicketStatus
from ticketing_common.storage import Outbox
from ticketing_common.storage.repository import Publisher
from ticketing_tickets.domain import Ticket, TicketDetails
from ticketing_tickets.repository import OrderProjection, TicketRepository
from ticketing_tickets.service import TicketService

from .conftest import SELLER, OrderScenario


@pytest.fixture
async def listed(service: TicketService) -> Ticket:
    """500 seats."""
    return await service.create(SELLER, TicketDetails(title="The arena", price_cents=1_000, quantity=500))


@dataclass
class Sale:
    """The events of the orders of one listing, and the seats by the orders' last status."""

    events: list[OrderData]
    held: int
    sold: int


def sale(ticket_id: str, orders: int, chance: random.Random) -> Sale:
    """The given number of orders of 1 to 4 seats, each with all its events."""
    events: list[OrderData] = []
    counts = {OrderStatus.CREATED: 0, OrderStatus.COMPLETE: 0, OrderStatus.CANCELLED: 0}
    seat = 1
    for _ in range(orders):
        scenario = OrderScenario(ticket_id)
        seats = tuple(range(seat, seat + chance.randint(1, 4)))
        seat += len(seats)
        histories = [[scenario.created], [scenario.created, scenario.completed], [scenario.created, scenario.cancelled]]
        histories.append([scenario.created, scenario.completed, scenario.refused])
        chosen = [event.model_copy(update={"seats": seats}) for event in chance.choice(histories)]
        events += chosen
        counts[chosen[-1].status] += len(seats)
    return Sale(events, counts[OrderStatus.CREATED], counts[OrderStatus.COMPLETE])


async def counts(tickets: TicketRepository, ticket_id: str) -> tuple[int, int, int]:
    ticket = await tickets.get(ticket_id)
    return ticket.held, ticket.sold, ticket.free_seats


@pytest.mark.parametrize("seed", range(3))
async def test_seats_are_counted_in_any_order_of_arrival_at_two_replicas(
    service: TicketService, tickets: TicketRepository, orders: OrderProjection, listed: Ticket, seed: int
) -> None:
    chance = random.Random(seed)
    other = TicketService(
        TicketRepository(Outbox(tickets.collection)), OrderProjection(orders.collection), currency="usd"
    )
    made = sale(listed.id, 60, chance)
    deliveries = made.events + chance.sample(made.events, 30)  # some come twice
    chance.shuffle(deliveries)
    places = asyncio.Semaphore(40)

    async def deliver(event: OrderData) -> None:
        async with places:
            await chance.choice([service, other]).follow_order(event)

    await asyncio.gather(*map(deliver, deliveries))
    assert await counts(tickets, listed.id) == (made.held, made.sold, 500 - made.held - made.sold)


async def test_concurrent_events_of_one_listing_that_are_handled_alone_do_not_compete(
    service: TicketService, tickets: TicketRepository, listed: Ticket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The events of recorded traces, for example."""
    created = [event for event in sale(listed.id, 100, random.Random(7)).events if event.version == 1]
    attempts = 0
    save_all = tickets.save_all

    async def counting(entities: Sequence[Ticket], publish: Publisher[Ticket]) -> list[Ticket]:
        nonlocal attempts
        attempts += bool(entities)
        return await save_all(entities, publish)

    monkeypatch.setattr(tickets, "save_all", counting)
    await asyncio.gather(*map(service.follow_order, created))

    ticket = await tickets.get(listed.id)
    assert ticket.held == sum(len(event.seats) for event in created)
    assert attempts == ticket.version - listed.version < 10, "100 events"


async def test_events_that_come_together_are_few_writes(
    service: TicketService, tickets: TicketRepository, listed: Ticket
) -> None:
    made = sale(listed.id, 100, random.Random(7))
    created = [event for event in made.events if event.version == 1]
    await service.follow_orders(created)
    ticket = await tickets.get(listed.id)
    assert ticket.held == sum(len(event.seats) for event in created)
    assert ticket.version == listed.version + 1, "100 events"
    before = ticket.version
    await service.follow_orders(created)
    assert (await tickets.get(listed.id)).version == before, "all were known"


async def test_the_listing_is_held_and_sold_when_its_last_seat_is(
    service: TicketService, tickets: TicketRepository
) -> None:
    listed = await service.create(SELLER, TicketDetails(title="Two seats", price_cents=1_000, quantity=2))
    first, second = OrderScenario(listed.id), OrderScenario(listed.id)
    one, two = {"seats": (1,)}, {"seats": (2,)}
    statuses = []
    for event in (
        first.created.model_copy(update=one),
        second.created.model_copy(update=two),
        first.completed.model_copy(update=one),
        second.completed.model_copy(update=two),
        first.refused.model_copy(update=one),
    ):
        await service.follow_order(event)
        ticket = await tickets.get(listed.id)
        statuses.append((ticket.status, ticket.free_seats))
    assert statuses == [
        (TicketStatus.AVAILABLE, 1),
        (TicketStatus.HELD, 0),
        (TicketStatus.HELD, 0),
        (TicketStatus.SOLD, 0),
        (TicketStatus.AVAILABLE, 1),
    ]


async def test_a_deleted_listing_publishes_its_deletion_to_all_late_orders_and_stays_deleted(
    service: TicketService, tickets: TicketRepository
) -> None:
    listed = await service.create(SELLER, TicketDetails(title="Gone", price_cents=1_000, quantity=50))
    await service.delete(listed.id, SELLER)
    late = [OrderScenario(listed.id).created.model_copy(update={"seats": (seat,)}) for seat in (3, 4, 5)]
    await asyncio.gather(*map(service.follow_order, late))
    found = await tickets.find(listed.id)
    assert found is not None
    assert found.status is TicketStatus.DELETED
    assert found.answered_orders == {order.id: 1 for order in late}


async def test_orders_of_the_version_with_one_seat_count_as_one(
    service: TicketService, tickets: TicketRepository, orders: OrderProjection, listed: Ticket
) -> None:
    scenario = OrderScenario(listed.id)
    await service.follow_order(OrderData.model_validate(scenario.created.model_dump(exclude={"seats"})))
    stored: dict[str, Any] = await orders.collection.find_one({"_id": scenario.id}) or {}
    assert "seats" not in stored
    assert await counts(tickets, listed.id) == (1, 0, 499)


async def test_the_count_reads_keys_only(orders: OrderProjection) -> None:
    pipeline = [
        {"$match": {"ticket.id": new_id(), "status": {"$in": ["created", "complete"]}}},
        {"$group": {"_id": "$status", "seats": {"$sum": {"$ifNull": ["$seat_count", 1]}}}},
    ]
    command = {
        "aggregate": orders.collection.name,
        "pipeline": pipeline,
        "cursor": {},
        "hint": "ticket_status_seat_count",
    }
    plan = str(await orders.collection.database.command("explain", command, verbosity="queryPlanner"))
    assert "PROJECTION_COVERED" in plan
    assert "'FETCH'" not in plan


async def test_orders_for_more_seats_raise_a_quantity_that_was_lowered_first(
    service: TicketService, tickets: TicketRepository, listed: Ticket
) -> None:
    """They were placed for a listing of 500; one that knows the lowered quantity does not raise it."""
    await service.edit(listed.id, SELLER, TicketDetails(title="The arena", price_cents=1_000, quantity=2))

    async def place(seats: tuple[int, ...], quantity: int) -> None:
        order = OrderScenario(listed.id).created
        shown = order.ticket.model_copy(update={"quantity": quantity})
        await service.follow_order(order.model_copy(update={"seats": seats, "ticket": shown}))

    await place((400, 401, 402), 500)
    found = await tickets.get(listed.id)
    assert (found.quantity, found.held, found.status) == (3, 3, TicketStatus.HELD)
    await place((1,), 3)
    assert (await tickets.get(listed.id)).quantity == 3
