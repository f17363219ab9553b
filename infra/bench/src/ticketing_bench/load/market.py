"""A stack of a run's own, with tickets that are written to its databases directly: preparing them is not measured."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from ticketing_common.entity import utc_now
from ticketing_common.storage import Document, Outbox
from ticketing_local.stack import Stack
from ticketing_system.market import Market, UnsettledError, market_of
from ticketing_system.stacks import make_stack
from ticketing_tickets.domain import Ticket
from ticketing_tickets.publishers import ticket_created
from ticketing_tickets.repository import TicketRepository

__all__ = ["SEATS", "LoadedMarket", "UnsettledError", "running_market"]

CHUNK: Final = 5_000
SEATS: Final = 20
"""On sale of each hall."""
SAMPLE_SECONDS: Final = 0.1
"""A look every 20 ms would take processor time from what is measured."""


class LoadedMarket:
    """A market and the processes of its stack."""

    def __init__(self, stack: Stack, market: Market) -> None:
        self.stack = stack
        self.sign_in, self.collection, self.check = market.sign_in, market.collection, market.check
        self.stripe_key = market.addresses.stripe_key
        self._market = market

    @property
    def pids(self) -> dict[str, int]:
        """Every process of the stack by name."""
        return {name: process.pid for name, process in self.stack.processes.items() if process.pid}

    def port(self, name: str) -> int:
        """Where a service listens, or `stripe`."""
        return int(self.stack.state.addresses[name].rpartition(":")[2].rstrip("/"))

    async def settle(self, seconds: float) -> float:
        """Wait until nothing is on its way; how long that took. Raises `UnsettledError`."""
        return await self._market.settle(seconds, every_seconds=SAMPLE_SECONDS)

    async def none_sold_twice(self, tickets: Sequence[str]) -> None:
        """Raises `UnsettledError` if two active orders have the same seat of one of these tickets."""
        pipeline: list[Document] = [
            {"$match": {"ticket.id": {"$in": list(tickets)}, "status": {"$in": ["created", "complete"]}}},
            {"$unwind": "$seats"},
            {"$group": {"_id": {"ticket": "$ticket.id", "seat": "$seats"}, "orders": {"$sum": 1}}},
            {"$match": {"orders": {"$gt": 1}}},
        ]
        twice = await self.collection("orders", "orders").aggregate(pipeline).to_list(5)
        if twice:
            raise UnsettledError(f"seats are held twice: {twice}")

    async def seed_tickets(self, count: int, *, offset: int = 0, quantity: int = 1) -> list[str]:
        """Tickets of `quantity` seats on sale, numbered from `offset`, known to the services; written as they do."""
        ((seller, _),) = await self.sign_in(1)
        repository = TicketRepository(Outbox(self.collection("tickets", "tickets")))
        known = self.collection("orders", "tickets")
        begun, ids = utc_now() - timedelta(days=60), list[str]()
        for first in range(0, count, CHUNK):
            tickets = [
                Ticket(
                    user_id=seller,
                    title=f"Opening night {offset + number}",
                    price_cents=1_000 + number % 9_000,
                    currency="usd",
                    description="Two seats side by side, stalls, row 12.",
                    venue=f"Hall{(offset + number) // SEATS:06}",
                    starts_at=begun + timedelta(days=90, minutes=number % 500_000),
                    quantity=quantity,
                    highest_seat=quantity,
                    version=1,
                    created_at=begun + timedelta(seconds=number),
                )
                for number in range(first, min(first + CHUNK, count))
            ]
            data = [ticket_created(one).data for one in tickets]
            await repository.collection.insert_many(
                [repository.to_document(one) | {"outbox": []} for one in tickets], ordered=False
            )
            await known.insert_many([{"_id": one.id, **one.model_dump(exclude={"id"})} for one in data], ordered=False)
            ids += [one.id for one in tickets]
        return ids


@asynccontextmanager
async def running_market(say: Callable[[str], None], *, window_seconds: int = 3_600) -> AsyncIterator[LoadedMarket]:
    """Start a stack of our own; it ends with the block, and its data goes with it. Raises `ServerStartError`."""
    folder = Path(tempfile.mkdtemp(prefix="ticketing-load-"))
    stack = make_stack(folder, window_seconds=window_seconds)
    try:
        with stack.data.locked():
            await asyncio.to_thread(stack.start, lambda _name, _what: None)
            try:
                say("a whole stack runs")
                async with market_of(stack) as market:
                    yield LoadedMarket(stack, market)
            finally:
                await asyncio.to_thread(stack.stop)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
