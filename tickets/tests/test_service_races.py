"""Two concurrent replicas and every order of arrival: the ticket still agrees with its orders."""

import asyncio
import json
from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ticketing_common.events import OrderData, TicketStatus
from ticketing_common.storage import Database, Outbox
from ticketing_common.storage.repository import Publisher
from ticketing_tickets.domain import Ticket, TicketDetails
from ticketing_tickets.errors import TicketReservedError
from ticketing_tickets.repository import OrderProjection, TicketRepository
from ticketing_tickets.service import TicketService

from .conftest import SELLER, OrderScenario, state, subjects


async def test_a_deletion_against_an_order_ends_in_one_of_two_ways(
    service: TicketService, tickets: TicketRepository, details: TicketDetails
) -> None:
    async def delete_after(reads: int, ticket_id: str) -> None:
        for _ in range(reads):
            await service.get(ticket_id)
        await service.delete(ticket_id, SELLER)

    outcomes = set()
    for turn in range(40):
        on_sale = await service.create(SELLER, details)
        order = OrderScenario(on_sale.id)
        raced = await asyncio.gather(
            delete_after(turn % 8, on_sale.id), service.follow_order(order.created), return_exceptions=True
        )
        refused = [result for result in raced if result is not None]
        status, holder = await state(tickets, on_sale.id)
        if refused:
            assert [type(error) for error in refused] == [TicketReservedError]
            assert (status, holder) == (TicketStatus.HELD, order.id)
        else:
            assert (status, holder) == (TicketStatus.DELETED, None)
            # The second deletion is the response to the order.
            assert await subjects(tickets, on_sale.id) == ["ticket.created", "ticket.deleted", "ticket.deleted"]
        outcomes.add(status)

    assert outcomes == {TicketStatus.HELD, TicketStatus.DELETED}


class StallingTickets(TicketRepository):
    """A replica that stalls between its decision and its write."""

    def __init__(self, outbox: Outbox) -> None:
        super().__init__(outbox)
        self.deciding = asyncio.Event()
        self.go_on = asyncio.Event()

    async def save_all(self, entities: Sequence[Ticket], publish: Publisher[Ticket]) -> list[Ticket]:
        if entities:
            self.deciding.set()
            await self.go_on.wait()
        return await super().save_all(entities, publish)


async def test_a_replica_that_stalls_before_its_write_cannot_undo_a_newer_state(
    service: TicketService, tickets: TicketRepository, orders: OrderProjection, database: Database, on_sale: Ticket
) -> None:
    order = OrderScenario(on_sale.id)
    stalling = StallingTickets(Outbox(database["tickets"]))
    stalled = asyncio.create_task(TicketService(stalling, orders, currency="usd").follow_order(order.created))
    await stalling.deciding.wait()
    # The other replica finds the ticket still available, as it should be, and so writes nothing: the versions agree.
    await service.follow_order(order.cancelled)
    stalling.go_on.set()
    await stalled

    assert await state(tickets, on_sale.id) == (TicketStatus.AVAILABLE, None)


async def test_a_replica_that_decided_from_older_orders_loses_and_decides_again(
    service: TicketService, tickets: TicketRepository, orders: OrderProjection, database: Database, on_sale: Ticket
) -> None:
    first, second = OrderScenario(on_sale.id), OrderScenario(on_sale.id, minute=1)
    stalling = StallingTickets(Outbox(database["tickets"]))
    stalled = asyncio.create_task(TicketService(stalling, orders, currency="usd").follow_order(first.created))
    await stalling.deciding.wait()
    for fact in (first.cancelled, second.created):
        await service.follow_order(fact)
    stalling.go_on.set()
    await stalled

    assert await state(tickets, on_sale.id) == (TicketStatus.HELD, second.id)


async def test_one_overtaken_listing_of_many_is_decided_again(
    service: TicketService,
    tickets: TicketRepository,
    orders: OrderProjection,
    database: Database,
    details: TicketDetails,
) -> None:
    listed = [await service.create(SELLER, details) for _ in range(4)]
    placed = [OrderScenario(ticket.id) for ticket in listed]
    stalling = StallingTickets(Outbox(database["tickets"]))
    replica = TicketService(stalling, orders, currency="usd")
    trace = f"00-{'a' * 32}-{'b' * 16}-00"
    stalled = asyncio.create_task(
        replica.follow_orders([order.created for order in placed], traces={ticket.id: trace for ticket in listed})
    )
    await stalling.deciding.wait()
    await service.follow_order(placed[1].completed)
    await service.cancel(listed[2].id, SELLER)
    stalling.go_on.set()
    await stalled

    found = await tickets.find_all([ticket.id for ticket in listed])
    statuses = [found[ticket.id].status for ticket in listed]
    assert statuses == [TicketStatus.HELD, TicketStatus.SOLD, TicketStatus.CANCELLED, TicketStatus.HELD]
    # The cancellation is published again, since the order may be stored after orders looked for those to end.
    assert await subjects(tickets, listed[2].id) == ["ticket.created", "ticket.cancelled", "ticket.cancelled"]
    stored = await tickets.collection.find_one({"_id": listed[0].id}) or {}
    assert json.loads(stored["outbox"][-1]["body"])["traceparent"] == trace


# Each order but the last is over; the last may be at any point. That is all that the index in orders allows.
ENDINGS = st.sampled_from(["cancelled", "refused"])
LAST = st.sampled_from(["cancelled", "refused", "created", "completed"])
FACTS = {
    "created": ["created"],
    "completed": ["created", "completed"],
    "cancelled": ["created", "cancelled"],
    "refused": ["created", "completed", "refused"],
}


# The database is shared between examples; every example has a ticket of its own.
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), earlier=st.lists(ENDINGS, max_size=3), last=LAST, deleted=st.booleans())
async def test_any_arrival_of_the_same_facts_ends_in_the_same_state(
    tickets: TicketRepository,
    orders: OrderProjection,
    details: TicketDetails,
    data: st.DataObject,
    earlier: list[str],
    last: str,
    deleted: bool,
) -> None:
    replicas = [TicketService(tickets, orders, currency="usd") for _ in range(2)]
    on_sale = await replicas[0].create(SELLER, details)
    if deleted:
        await replicas[0].delete(on_sale.id, SELLER)
    scenarios = [OrderScenario(on_sale.id, minute=minute) for minute in range(len(earlier) + 1)]
    facts: list[OrderData] = [
        getattr(scenario, fact)
        for scenario, ending in zip(scenarios, [*earlier, last], strict=True)
        for fact in FACTS[ending]
    ]
    again = data.draw(st.lists(st.sampled_from(facts), max_size=4))
    arrivals = data.draw(st.permutations([*facts, *again]))
    at_once = data.draw(st.integers(1, 4))

    for begin in range(0, len(arrivals), at_once):
        batch = arrivals[begin : begin + at_once]
        await asyncio.gather(*(replicas[n % 2].follow_order(fact) for n, fact in enumerate(batch)))

    holder = scenarios[-1].id
    expected = {
        "completed": (TicketStatus.SOLD, holder),
        "created": (TicketStatus.DELETED, None) if deleted else (TicketStatus.HELD, holder),
    }.get(last, (TicketStatus.DELETED if deleted else TicketStatus.AVAILABLE, None))
    assert await state(tickets, on_sale.id) == expected
    if deleted and last == "created":
        tombstone = await tickets.find(on_sale.id)
        assert tombstone is not None
        assert tombstone.answered_orders[holder] == 1
