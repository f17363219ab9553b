"""A separate stack for the run, with its load generator; tickets are written to its databases directly."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import psutil

from ticketing_bench.seed_data import insert_tickets, projected
from ticketing_bench.wire import http_request
from ticketing_bench.worker import Worker
from ticketing_common.storage import Document
from ticketing_local.stack import Stack
from ticketing_system.market import Market, UnsettledError, market_of
from ticketing_system.stacks import make_stack
from ticketing_tickets.publishers import ticket_created

from .generator import LoadRole
from .sizes import Sizes

__all__ = ["LoadedMarket", "UnsettledError", "hold", "running_market"]

CHUNK: Final = 5_000
SAMPLE_SECONDS: Final = 0.1
"""A sample every 20 ms would take CPU time from what is measured."""
SETTLE_SECONDS: Final = 180.0
MEBIBYTE: Final = 2**20


def hold(token: str, ticket_id: str, quantity: int = 1) -> str:
    """The request that holds seats."""
    return http_request("POST", "/api/orders", token=token, body={"ticketId": ticket_id, "quantity": quantity})


class LoadedMarket:
    """A market, the processes of its stack, and what all parts of the run share."""

    def __init__(
        self, stack: Stack, market: Market, generator: Worker, sizes: Sizes, say: Callable[[str], None]
    ) -> None:
        self.stack, self.sizes, self.say = stack, sizes, say
        self.cores = psutil.cpu_count() or 1
        self.sign_in, self.collection, self.check = market.sign_in, market.collection, market.check
        self._market, self._generator = market, generator
        self.idle_memory = self.memory()

    @property
    def pids(self) -> dict[str, int]:
        """Every process of the stack by name."""
        return {name: process.pid for name, process in self.stack.processes.items() if process.pid}

    def memory(self) -> dict[str, float]:
        """The proportional set size of each process in MiB: memory shared with others counts in parts."""
        return {name: psutil.Process(pid).memory_full_info().pss / MEBIBYTE for name, pid in self.pids.items()}

    def port(self, name: str) -> int:
        """The port of a service, or of `stripe`."""
        return int(self.stack.state.addresses[name].rpartition(":")[2].rstrip("/"))

    async def ask(self, order: str, **values: object) -> dict[str, Any]:
        """Let the load generator execute a command."""
        return await asyncio.to_thread(self._generator.ask, order, **values)

    async def burst(self, requests: Sequence[str]) -> dict[str, Any]:
        """Send all holds at once, and wait until every event of them is handled."""
        answer = await self.ask("burst", port=self.port("orders"), requests=requests, pids=self.pids)
        await self.settle(SETTLE_SECONDS)
        return answer

    async def settle(self, seconds: float) -> float:
        """Wait until no event is in transit; returns how long that took. Raises `UnsettledError`."""
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
        own, known = self.collection("tickets", "tickets"), self.collection("orders", "tickets")
        ids: list[str] = []
        for first in range(offset, offset + count, CHUNK):
            numbers = range(first, min(first + CHUNK, offset + count))
            made = await insert_tickets(own, seller, numbers, quantity=quantity)
            await known.insert_many([projected(ticket_created(one).data) for one in made], ordered=False)
            ids += [one.id for one in made]
        return ids


@asynccontextmanager
async def running_market(sizes: Sizes, say: Callable[[str], None]) -> AsyncIterator[LoadedMarket]:
    """Start a separate stack and a load generator; both end with the block. Raises `ServerStartError`."""
    folder = Path(tempfile.mkdtemp(prefix="ticketing-load-"))
    stack = make_stack(folder, window_seconds=3_600)
    try:
        with stack.data.locked():
            await asyncio.to_thread(stack.start, lambda _name, _what: None)
            try:
                say("a whole stack runs")
                async with market_of(stack) as market:
                    with Worker(LoadRole, urls={}, pids={}) as generator:
                        yield LoadedMarket(stack, market, generator, sizes, say)
            finally:
                await asyncio.to_thread(stack.stop)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
