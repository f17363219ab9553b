"""The buyers: a process that lets many of them try at once, and afterwards counts what the database holds."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Final

from redis.asyncio import Redis

from ticketing_bench.measurement import percentile
from ticketing_bench.processor_time import ProcessorTime
from ticketing_bench.worker import Role
from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import TicketData, TicketStatus
from ticketing_common.storage import Database, connect
from ticketing_orders.domain import ACTIVE_STATUSES

from .variants import VARIANTS, Attempt, Outcome, Variant

__all__ = ["BuyersRole", "make_ticket", "oversold"]

WARM_UP_ATTEMPTS: Final = 4


class BuyersRole(Role):
    """All variants, one after the other, with the same number of buyers."""

    NAME: ClassVar[str] = "buyers"

    async def open(self) -> None:
        """The services' own MongoDB client, with a connection for every buyer."""
        self._client = connect(self.urls["mongo_url"], application=self.NAME, pool_size=100)
        self._database: Database = self._client["bench_holds"]
        self._redis = Redis.from_url(self.urls["redis_url"])

    async def close(self) -> None:
        """Leave both."""
        await self._redis.aclose()
        self._client.close()

    async def race(
        self, scenario: str, variant: str, buyers: int, tickets: int, seconds: float, seed: int
    ) -> dict[str, Any]:
        """One round. `hot`: all buyers at one ticket at the same moment, ticket after ticket. `many`: each at any."""
        on_sale = [make_ticket() for _ in range(tickets)]
        async with self._prepared(variant, on_sale, buyers) as chosen:
            results: list[tuple[Attempt, float]] = []
            processors = ProcessorTime("buyers", self.pids)
            begun = time.perf_counter()
            race = _at_one if scenario == "hot" else _at_any
            offered = await race(chosen, on_sale, buyers, begun + seconds, random.Random(seed), results)
            elapsed = time.perf_counter() - begun
            cores = processors.cores()
            twice, stored = await oversold(self._database)
        outcomes = Counter(attempt.outcome for attempt, _ in results)
        return {
            "attempts": len(results) / elapsed,
            "holds": outcomes[Outcome.HELD] / elapsed,
            "p50": percentile([took for _, took in results], 0.5) * 1000,
            "p99": percentile([took for _, took in results], 0.99) * 1000,
            "outcomes": {outcome.value: outcomes[outcome] for outcome in Outcome},
            "conflicts": sum(attempt.conflicts for attempt, _ in results),
            "offered": offered,
            "oversold": twice,
            "stored": stored,
            "cpu": cores,
        }

    @asynccontextmanager
    async def _prepared(self, name: str, tickets: Sequence[TicketData], buyers: int) -> AsyncIterator[Variant]:
        """An empty database with the variant's indexes, open connections, and no order from warming up."""
        await self._client.drop_database(self._database.name)
        await self._redis.flushdb()
        chosen = VARIANTS[name](self._database, self._redis)
        await chosen.prepare()
        await chosen.tickets.insert_many([{"_id": ticket.id, "version": 1} for ticket in tickets])
        for _ in range(WARM_UP_ATTEMPTS):
            await asyncio.gather(*(chosen.hold(make_ticket(), new_id()) for _ in range(buyers)))
        await chosen.orders.collection.delete_many({})
        yield chosen
        await self._client.drop_database(self._database.name)


async def _timed(variant: Variant, ticket: TicketData, results: list[tuple[Attempt, float]]) -> None:
    begun = time.perf_counter()
    attempt = await variant.hold(ticket, new_id())
    results.append((attempt, time.perf_counter() - begun))


async def _at_one(
    variant: Variant,
    tickets: Sequence[TicketData],
    buyers: int,
    deadline: float,
    _chance: random.Random,
    results: list[tuple[Attempt, float]],
) -> int:
    """Returns how many tickets were offered; ends with a whole burst, or when all are gone."""
    offered = 0
    for ticket in tickets:
        await asyncio.gather(*(_timed(variant, ticket, results) for _ in range(buyers)))
        offered += 1
        if time.perf_counter() >= deadline:
            break
    return offered


async def _at_any(
    variant: Variant,
    tickets: Sequence[TicketData],
    buyers: int,
    deadline: float,
    chance: random.Random,
    results: list[tuple[Attempt, float]],
) -> int:
    """Each buyer tries the next one as soon as the last is decided."""

    async def buyer() -> None:
        while time.perf_counter() < deadline:
            await _timed(variant, chance.choice(tickets), results)

    await asyncio.gather(*(buyer() for _ in range(buyers)))
    return len(tickets)


async def oversold(database: Database) -> tuple[int, int]:
    """How many tickets have more than one active order, and how many active orders there are: the judge of it all."""
    rows = (
        await database["orders"]
        .aggregate(
            [
                {"$match": {"status": {"$in": [status.value for status in ACTIVE_STATUSES]}}},
                {"$group": {"_id": "$ticket.id", "orders": {"$sum": 1}}},
            ]
        )
        .to_list(None)
    )
    return sum(row["orders"] > 1 for row in rows), sum(row["orders"] for row in rows)


def make_ticket() -> TicketData:
    """A ticket on sale; only its id matters."""
    return TicketData(
        id=new_id(),
        version=1,
        title="Opening night",
        description=None,
        venue=None,
        starts_at=None,
        price_cents=2_550,
        currency="usd",
        user_id=new_id(),
        order_id=None,
        status=TicketStatus.AVAILABLE,
        created_at=utc_now(),
    )
