"""Which ways are safe, shown without chance: the buyers are stopped where it hurts."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from ticketing_bench.holds.buyers import make_ticket, oversold
from ticketing_bench.holds.run import HoldsReport, OversoldError, Sizes, _check, run
from ticketing_bench.holds.variants import (
    VARIANTS,
    Attempt,
    CheckInTransaction,
    Outcome,
    RedisLock,
    Transaction,
    Variant,
)
from ticketing_common.entity import new_id
from ticketing_common.events import TicketData
from ticketing_common.storage import Database, connect
from ticketing_orders.domain import Order


@pytest.fixture
async def database(mongo_url: str, database_name: str) -> AsyncIterator[Database]:
    client = connect(mongo_url, application="test")
    yield client[database_name]
    client.close()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


async def both_try(variant: Variant) -> list[Attempt]:
    """Two buyers, one ticket."""
    await variant.prepare()
    ticket = make_ticket()
    await variant.tickets.insert_one({"_id": ticket.id, "version": 1})
    return list(await asyncio.gather(variant.hold(ticket, new_id()), variant.hold(ticket, new_id())))


class BothHaveLooked:
    """Lets the first two go on only when both have looked; whoever looks again is let through."""

    def __init__(self) -> None:
        self._looked = 0
        self._both = asyncio.Event()

    async def __call__(self) -> None:
        self._looked += 1
        if self._looked == 2:
            self._both.set()
        async with asyncio.timeout(30):
            await self._both.wait()


def stopped_after_looking(variant_class: type[Variant], database: Database) -> Variant:
    """The variant, with both buyers past their look before either writes."""

    class Stopped(variant_class):  # type: ignore[misc, valid-type]
        async def _is_held(self, ticket: TicketData, session: Any = None) -> bool:
            held = await super()._is_held(ticket, session)
            await both_have_looked()
            return bool(held)

    both_have_looked = BothHaveLooked()
    return Stopped(database)


@pytest.mark.parametrize("variant_class", [Variant, CheckInTransaction])
async def test_looking_first_sells_a_ticket_twice_also_in_a_transaction(
    database: Database, variant_class: type[Variant]
) -> None:
    attempts = await both_try(stopped_after_looking(variant_class, database))

    assert [attempt.outcome for attempt in attempts] == [Outcome.HELD, Outcome.HELD]
    assert await oversold(database) == (1, 2)


async def test_a_transaction_is_safe_when_both_write_the_same_document(database: Database) -> None:
    attempts = await both_try(stopped_after_looking(Transaction, database))

    assert sorted(attempt.outcome for attempt in attempts) == [Outcome.HELD, Outcome.LOST]
    assert sum(attempt.conflicts for attempt in attempts) >= 1
    assert await oversold(database) == (0, 1)


async def test_the_unique_index_lets_one_have_it(database: Database) -> None:
    attempts = await both_try(VARIANTS["index"](database))

    assert sorted(attempt.outcome for attempt in attempts) == [Outcome.HELD, Outcome.LOST]
    assert await oversold(database) == (0, 1)


async def test_a_lock_lets_one_have_it(database: Database, redis: Redis) -> None:
    attempts = await both_try(RedisLock(database, redis))

    assert sorted(attempt.outcome for attempt in attempts) == [Outcome.HELD, Outcome.LOST]
    assert await oversold(database) == (0, 1)


async def test_a_lock_sells_a_ticket_twice_when_its_holder_pauses_for_longer_than_it_lasts(
    database: Database, redis: Redis
) -> None:
    class PausedAfterLooking(RedisLock):
        lock_seconds = 0.05

        async def _insert(self, order: Order) -> Attempt:
            nonlocal first
            if first:
                first = False
                async with asyncio.timeout(30):
                    await other_is_done.wait()  # a garbage collection, a paused machine, a slow network
                return await super()._insert(order)
            try:
                return await super()._insert(order)
            finally:
                other_is_done.set()

    first, other_is_done = True, asyncio.Event()

    attempts = await both_try(PausedAfterLooking(database, redis))

    assert [attempt.outcome for attempt in attempts] == [Outcome.HELD, Outcome.HELD]
    assert await oversold(database) == (1, 2)


def test_a_small_run_lets_every_way_race() -> None:
    report = run(Sizes(rounds=1, seconds=0.05, buyers=4, tickets=20), quick=True, say=lambda _line: None)

    assert len(report.rows) == 2 * len(VARIANTS)
    for row in report.rows:
        assert row.outcomes[Outcome.HELD] >= 1
    assert HoldsReport.model_validate_json(report.model_dump_json()) == report
    assert report.markdown().count("\n| ") == len(report.rows) + 2


def answer(**changes: Any) -> dict[str, Any]:
    outcomes = dict.fromkeys(Outcome, 0) | {Outcome.HELD: 3, Outcome.LOST: 90}
    return {"outcomes": outcomes, "offered": 3, "oversold": 0, "stored": 3, **changes}


@pytest.mark.unit
def test_a_round_counts_only_when_the_database_agrees() -> None:
    _check("hot", "index", answer())
    _check("hot", "no-guard", answer(oversold=2))
    with pytest.raises(OversoldError, match="sold twice"):
        _check("hot", "index", answer(oversold=1))
    with pytest.raises(OversoldError, match="3 buyers were told"):
        _check("many", "lock", answer(stored=4))
    with pytest.raises(OversoldError, match="went to nobody"):
        _check("hot", "index", answer(offered=4))
