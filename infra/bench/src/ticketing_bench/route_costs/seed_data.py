"""The data before the first request, written directly in the form of the services."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import EventData, OrderData, OrderStatus, OrderTicket, TicketData, TicketStatus
from ticketing_common.storage import Document, Outbox, connect
from ticketing_orders.repository import OrderRepository
from ticketing_tickets.domain import Ticket
from ticketing_tickets.repository import TicketRepository

__all__ = [
    "BASELINE",
    "CATALOGUE",
    "known_orders",
    "known_tickets",
    "list_tickets",
    "prepare_baseline",
    "ticket_on_sale",
]

CATALOGUE: Final = "tickets"
"""The database of the tickets service, which its baseline reads too."""
BASELINE: Final = "plain"
"""The database of the baselines' writes, separate from those of the services."""
DESCRIPTION: Final = "Two seats side by side, stalls, row 12; doors open an hour before. Collected at the box office."


async def list_tickets(mongo_url: str, count: int) -> list[str]:
    """Insert tickets of the tickets service, created one second apart; returns their ids."""
    begun = utc_now() - timedelta(seconds=count)
    tickets = [
        Ticket(
            user_id=new_id(),
            title=f"Opening night {number}: the long way round",
            price_cents=1_000 + number % 9_000,
            currency="usd",
            description=DESCRIPTION,
            venue="The old theatre",
            starts_at=begun + timedelta(days=60, minutes=number),
            version=1,
            created_at=begun + timedelta(seconds=number),
        )
        for number in range(count)
    ]
    client = connect(mongo_url, application="bench-stock")
    try:
        repository = TicketRepository(Outbox(client[CATALOGUE]["tickets"]))
        await repository.collection.insert_many([repository.to_document(one) | {"outbox": []} for one in tickets])
    finally:
        client.close()
    return [ticket.id for ticket in tickets]


async def known_tickets(mongo_url: str, database: str, count: int) -> list[str]:
    """Insert tickets into the projection of orders; returns their ids."""
    tickets = [ticket_on_sale() for _ in range(count)]
    await _project(mongo_url, database, "tickets", tickets)
    return [ticket.id for ticket in tickets]


def ticket_on_sale() -> TicketData:
    """A ticket as in its events, in none of the databases."""
    now = utc_now()
    return TicketData(
        id=new_id(),
        version=1,
        title="Opening night: the long way round",
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
    await _project(mongo_url, "payments", "orders", orders)
    return [order.id for order in orders]


async def prepare_baseline(mongo_url: str) -> None:
    """Create the indexes of orders, whose update is part of every write."""
    client = connect(mongo_url, application="bench-stock")
    try:
        await OrderRepository(Outbox(client[BASELINE]["orders"])).ensure_indexes()
    finally:
        client.close()


async def _project(mongo_url: str, database: str, collection: str, known: Sequence[EventData]) -> None:
    documents: list[Document] = [{"_id": data.id, **data.model_dump(exclude={"id"})} for data in known]
    client = connect(mongo_url, application="bench-stock")
    try:
        await client[database][collection].insert_many(documents)
    finally:
        client.close()
