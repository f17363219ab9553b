"""500 buyers of fifty tickets, over real HTTP, at two replicas of orders: the index prevents that any is sold twice."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from secrets import token_hex
from typing import Any, Final, NamedTuple

import aiohttp
import pytest
import pytest_asyncio

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import OrderCreated, TicketCreated, TicketData, TicketStatus
from ticketing_common.storage import Database, Outbox, connect
from ticketing_local.services import ServiceProcess
from ticketing_orders.repository import OrderRepository
from ticketing_testkit.apps import Bus, Identity
from ticketing_testkit.servers import NatsServer, free_port, running, running_together
from ticketing_testkit.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

TICKETS: Final = 50
BUYERS: Final = 500


class Answer(NamedTuple):
    """The response to a buyer."""

    status: int
    content_type: str
    body: dict[str, Any]


class Orders:
    """Two processes of the orders service on one database, and their clients."""

    def __init__(self, urls: list[str], database: Database, bus: Bus, identity: Identity) -> None:
        self.urls, self.database, self.bus, self._identity = urls, database, bus, identity

    async def list_tickets(self) -> list[str]:
        """Publish tickets and wait until orders has received them; returns their ids."""
        now, seller = utc_now(), new_id()
        tickets = [
            TicketData(
                id=new_id(),
                version=1,
                title=f"Seat {seat}",
                description=None,
                venue=None,
                starts_at=None,
                price_cents=2_550,
                currency="usd",
                user_id=seller,
                order_id=None,
                status=TicketStatus.AVAILABLE,
                created_at=now,
            )
            for seat in range(TICKETS)
        ]
        ids = [ticket.id for ticket in tickets]
        await asyncio.gather(*(self.bus.publish(TicketCreated.of(ticket)) for ticket in tickets))

        async def known() -> bool:
            return bool(await self.database["tickets"].count_documents({"_id": {"$in": ids}}) == TICKETS)

        await until(known)
        return ids

    async def rush(self, tickets: list[str]) -> list[Answer]:
        """Run ten concurrent buyers for each ticket, each at a random replica and on its own connection."""
        wishes = random.sample(tickets * (BUYERS // TICKETS), BUYERS)
        signatures = [self._identity.headers(new_id()) for _ in wishes]

        async def buy(session: aiohttp.ClientSession, ticket: str, headers: dict[str, str]) -> Answer:
            address = f"{random.choice(self.urls)}/api/orders"
            async with session.post(address, json={"ticketId": ticket}, headers=headers) as answer:
                return Answer(answer.status, answer.content_type, await answer.json(content_type=None))

        limits = aiohttp.TCPConnector(limit=BUYERS)
        async with aiohttp.ClientSession(connector=limits, timeout=aiohttp.ClientTimeout(total=90)) as session:
            return await asyncio.gather(*(buy(session, *wish) for wish in zip(wishes, signatures, strict=True)))

    async def holders(self, tickets: list[str]) -> Counter[str]:
        """How many orders hold each ticket."""
        active = {"ticket.id": {"$in": tickets}, "status": {"$in": ["created", "complete"]}}
        return Counter([order["ticket"]["id"] async for order in self.database["orders"].find(active)])

    async def published(self, orders: set[str]) -> None:
        """Return when the events of all these orders are on the bus; raises TimeoutError."""

        async def all_there() -> bool:
            return orders <= {event.data.id for event in await self.bus.events(OrderCreated)}

        await until(all_there)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def orders(mongo_url: str, identity: Identity, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Orders]:
    folder, database = tmp_path_factory.mktemp("orders"), f"test_{token_hex(6)}"
    client = connect(mongo_url, application="races")
    with running(NatsServer(folder / "nats")) as nats:
        environment = {
            "MONGO_URL": mongo_url,
            "MONGO_DATABASE": database,
            "NATS_URL": nats.url,
            "JWT_PUBLIC_KEYS": json.dumps([identity.public_key_pem]),
            "PASS_KEY": identity.pass_key_pem,
            "COOKIE_SECURE": "false",
            "LOG_LEVEL": "warning",
        }
        replicas = [
            ServiceProcess("orders", folder, folder / f"orders-{n}.log", port=free_port(), environment=environment)
            for n in range(2)
        ]
        async with Bus.connect(nats.url) as bus:
            with running_together(*replicas, seconds=60):
                yield Orders([replica.url for replica in replicas], client[database], bus, identity)
    await client.drop_database(database)
    client.close()


async def test_of_five_hundred_buyers_fifty_get_the_fifty_tickets(orders: Orders) -> None:
    tickets = await orders.list_tickets()

    answers = await orders.rush(tickets)

    won = [answer.body for answer in answers if answer.status == 201]
    lost = [answer for answer in answers if answer.status != 201]
    assert Counter(order["ticket"]["id"] for order in won) == dict.fromkeys(tickets, 1)
    assert len(lost) == BUYERS - TICKETS
    for answer in lost:
        assert (answer.status, answer.content_type) == (409, "application/problem+json"), answer
        assert answer.body["status"] == 409
        assert answer.body["available"] == 0
    assert await orders.holders(tickets) == dict.fromkeys(tickets, 1)
    await orders.published({order["id"] for order in won})


async def test_without_the_index_the_same_load_sells_tickets_twice(orders: Orders) -> None:
    """The negative control: only the index decides, and the test above fails without it."""
    tickets = await orders.list_tickets()
    await orders.database["orders"].drop_index("one_active_order_per_seat")
    try:
        answers = await orders.rush(tickets)

        holders = await orders.holders(tickets)
        assert sum(answer.status == 201 for answer in answers) == holders.total() > TICKETS
        assert max(holders.values()) > 1
    finally:
        await orders.database["orders"].delete_many({"ticket.id": {"$in": tickets}})
        await OrderRepository(Outbox(orders.database["orders"])).ensure_indexes()
