"""A running stack with people and tickets in it, and what can be seen of it from behind."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final, Self

from nats.js import JetStreamContext

from ticketing_bench.stacks import make_stack
from ticketing_common.entity import new_id, utc_now
from ticketing_common.security import TokenSigner
from ticketing_common.storage import Collection, DatabaseClient, Document, Outbox, connect
from ticketing_local.audit import AuditAddresses, audit
from ticketing_local.audit.bus import CONSUMERS, connected
from ticketing_local.keys import Keys
from ticketing_local.stack import Stack
from ticketing_tickets.domain import Ticket
from ticketing_tickets.publishers import ticket_created
from ticketing_tickets.repository import TicketRepository

__all__ = ["SEATS", "Market", "UnsettledError", "running_market"]

AGGREGATES: Final = (
    ("tickets", "tickets"),
    ("orders", "orders"),
    ("payments", "payments"),
    ("expiration", "deadlines"),
)
CHUNK: Final = 5_000
SEATS: Final = 20
"""On sale of each hall."""
LOOK_SECONDS: Final = 0.1
TOKEN_SECONDS: Final = 4 * 3600
GRACE_SECONDS: Final = 2.0


class UnsettledError(Exception):
    """Events were still on their way when there had been time enough, or the audit found something."""


class Market:
    """Sign people in, put tickets on sale, and wait until all is told. Nothing of that is measured."""

    def __init__(self, stack: Stack, client: DatabaseClient, js: JetStreamContext) -> None:
        self.stack = stack
        self._client = client
        self._js = js
        self.keys = Keys.load_or_make(stack.data.path / "keys")
        self._signer = TokenSigner(
            self.keys.jwt_private,
            issuer="https://ticketing.dev",
            audience="ticketing",
            lifetime_seconds=TOKEN_SECONDS,
        )

    @property
    def pids(self) -> dict[str, int]:
        """Every process of the stack by name."""
        return {name: process.pid for name, process in self.stack.processes.items() if process.pid}

    def port(self, name: str) -> int:
        """Where a service listens, or `stripe`."""
        return int(self.stack.state.addresses[name].rpartition(":")[2].rstrip("/"))

    def collection(self, database: str, name: str) -> Collection:
        """A collection of a service's database."""
        return self._client[database][name]

    async def sign_in(self, count: int) -> list[tuple[str, str]]:
        """New people: id and token of each. Signed here, as auth signs: hashing passwords has a measure of its own."""
        now, people = utc_now(), [new_id() for _ in range(count)]
        users: list[Document] = [
            {"_id": one, "email": f"{one}@example.com", "version": 1, "created_at": now, "outbox": []} for one in people
        ]
        await self.collection("auth", "users").insert_many(users)
        return [(one, self._signer.sign(user_id=one, email=f"{one}@example.com", signed_in_at=now)) for one in people]

    async def stock(self, count: int, *, offset: int = 0, quantity: int = 1) -> list[str]:
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

    async def backlog(self) -> int:
        """Events that are still to be published, delivered or handled."""
        counts = [
            await self.collection(*aggregate).count_documents({"outbox.at": {"$exists": True}})
            for aggregate in AGGREGATES
        ]
        for stream, durable in CONSUMERS:
            info = await self._js.consumer_info(stream, durable)
            counts.append((info.num_pending or 0) + (info.num_ack_pending or 0))
        return sum(counts)

    async def settle(self, seconds: float) -> float:
        """Wait until nothing is on its way, twice in a row; how long that took. Raises `UnsettledError`."""
        loop = asyncio.get_running_loop()
        begun, quiet = loop.time(), 0
        while quiet < 2:
            left = await self.backlog()
            quiet = quiet + 1 if left == 0 else 0
            if loop.time() - begun > seconds:
                raise UnsettledError(f"{left} events are still on their way after {seconds:g} s")
            await asyncio.sleep(LOOK_SECONDS)
        return loop.time() - begun

    async def check(self) -> None:
        """Let the auditor look; raises `UnsettledError` with what it found."""
        addresses = AuditAddresses.of_stack(self.stack.state, self.stack.data)
        found = await audit(addresses, grace_seconds=GRACE_SECONDS)
        if found:
            said = "; ".join(f"{one.invariant}: {one.detail}" for one in found[:5])
            raise UnsettledError(f"the audit found {len(found)} violations: {said}")

    @classmethod
    @asynccontextmanager
    async def of(cls, stack: Stack) -> AsyncIterator[Self]:
        """Of a stack that runs."""
        client = connect(stack.state.addresses["mongo"], application="bench-load", pool_size=8)
        try:
            async with connected(stack.state.addresses["nats"]) as bus:
                yield cls(stack, client, bus.jetstream(timeout=10))
        finally:
            client.close()


@asynccontextmanager
async def running_market(say: Callable[[str], None], *, window_seconds: int = 3_600) -> AsyncIterator[Market]:
    """Start a stack of our own; it ends with the block, and its data goes with it. Raises `ServerStartError`."""
    folder = Path(tempfile.mkdtemp(prefix="ticketing-load-"))
    stack = make_stack(folder, window_seconds=window_seconds)
    try:
        with stack.data.locked():
            await asyncio.to_thread(stack.start, lambda _name, _what: None)
            try:
                say("a whole stack runs")
                async with Market.of(stack) as market:
                    yield market
            finally:
                await asyncio.to_thread(stack.stop)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
