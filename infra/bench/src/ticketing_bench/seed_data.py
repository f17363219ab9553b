"""The data before the first request, written directly in the form of the services: its preparation is not measured."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import EventData, OrderData, OrderStatus, OrderTicket, TicketData, TicketStatus
from ticketing_common.storage import Collection, DatabaseClient, Document, Outbox, connect
from ticketing_tickets.domain import Ticket
from ticketing_tickets.repository import TicketRepository

SEATS: Final = 20
"""Tickets on sale in each hall."""
TITLE: Final = "Opening night: the long way round"
DESCRIPTION: Final = "Two seats side by side, stalls, row 12; doors open an hour before. Collected at the box office."


@asynccontextmanager
async def seeding(mongo_url: str) -> AsyncIterator[DatabaseClient]:
    """A connection for seed data."""
    client = connect(mongo_url, application="bench-seed")
    try:
        yield client
    finally:
        client.close()


async def insert_tickets(into: Collection, seller: str, numbers: Iterable[int], *, quantity: int = 1) -> list[Ticket]:
    """Insert one ticket of `quantity` seats for each number, which also decides its hall, price and times."""
    begun = utc_now() - timedelta(days=60)
    made = [
        Ticket(
            user_id=seller,
            title=f"{TITLE} {number}",
            price_cents=1_000 + number % 9_000,
            currency="usd",
            description=DESCRIPTION,
            venue=f"Hall{number // SEATS:06}",
            starts_at=begun + timedelta(days=90, minutes=number % 500_000),
            quantity=quantity,
            highest_seat=quantity,
            version=1,
            created_at=begun + timedelta(seconds=number),
        )
        for number in numbers
    ]
    repository = TicketRepository(Outbox(into))
    await into.insert_many([repository.to_document(one) | {"outbox": []} for one in made], ordered=False)
    return made


def ticket_on_sale() -> TicketData:
    """A ticket as in its events, in none of the databases."""
    now = utc_now()
    return TicketData(
        id=new_id(),
        version=1,
        title=TITLE,
        description=DESCRIPTION,
        venue="The old theatre",
        starts_at=now + timedelta(days=60),
        price_cents=2_550,
        currency="usd",
        user_id=new_id(),
        order_id=None,
        status=TicketStatus.AVAILABLE,
        created_at=now,
    )


async def known_tickets(mongo_url: str, database: str, count: int) -> list[str]:
    """Insert tickets into the projection of orders; returns their ids."""
    return await _project(mongo_url, database, "tickets", [ticket_on_sale() for _ in range(count)])


async def known_orders(mongo_url: str, count: int, *, user_id: str) -> list[str]:
    """Insert unpaid orders of one buyer into the projection of payments; returns their ids."""
    now = utc_now()
    orders = [
        OrderData(
            id=new_id(),
            version=1,
            status=OrderStatus.CREATED,
            reason=None,
            user_id=user_id,
            expires_at=now + timedelta(hours=2),
            created_at=now,
            payment_id=None,
            ticket=OrderTicket(id=new_id(), title="Opening night", price_cents=2_550, currency="usd"),
        )
        for _ in range(count)
    ]
    return await _project(mongo_url, "payments", "orders", orders)


def projected(data: EventData) -> Document:
    """The document of a projection."""
    return {"_id": data.id, **data.model_dump(exclude={"id"})}


async def _project(mongo_url: str, database: str, collection: str, known: Sequence[EventData]) -> list[str]:
    async with seeding(mongo_url) as client:
        await client[database][collection].insert_many([projected(data) for data in known])
    return [data.id for data in known]
