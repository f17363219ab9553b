"""Concurrent calls share a round, and no call is served by a read that began before it."""

import asyncio

import pytest

from ticketing_tickets.rounds import Rounds

pytestmark = pytest.mark.unit


class Work:
    def __init__(self, reads: int = 1) -> None:
        self.reads = reads
        self.begun: list[str] = []
        self.read_on = asyncio.Event()
        self.go_on = asyncio.Semaphore(0)

    async def __call__(self, key: str) -> float:
        self.begun.append(key)
        read_at = asyncio.get_running_loop().time()
        for read in range(self.reads):
            read_at = asyncio.get_running_loop().time()
            if read < self.reads - 1:
                await self.read_on.wait()
                await asyncio.sleep(0.01)  # a later reading of the clock
        await self.go_on.acquire()
        return read_at


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_calls_during_a_round_share_the_next_one() -> None:
    work = Work()
    rounds = Rounds(work)
    first = asyncio.create_task(rounds("a"))
    await settled()
    await asyncio.sleep(0.005)  # a later reading of the clock
    later = [asyncio.create_task(rounds("a")) for _ in range(10)]
    await settled()
    work.go_on.release()
    await first
    await settled()
    assert not any(task.done() for task in later), "the first round has read before these calls"
    work.go_on.release()
    await asyncio.gather(*later)
    assert work.begun == ["a", "a"]
    assert not rounds._waiting


async def test_a_round_that_reads_again_serves_the_calls_before_that() -> None:
    work = Work(reads=3)
    rounds = Rounds(work)
    first = asyncio.create_task(rounds("a"))
    await settled()
    second = asyncio.create_task(rounds("a"))
    await settled()
    work.read_on.set()
    work.go_on.release()
    await asyncio.gather(first, second)
    assert work.begun == ["a"]


async def test_other_keys_do_not_wait() -> None:
    work = Work()
    rounds = Rounds(work)
    calls = [asyncio.create_task(rounds(key)) for key in "abc"]
    await settled()
    assert sorted(work.begun) == ["a", "b", "c"]
    for _ in calls:
        work.go_on.release()
    await asyncio.gather(*calls)


async def test_an_error_is_that_of_its_round_only() -> None:
    outcomes = [ValueError("once"), None]

    async def work(_key: str) -> float:
        await asyncio.sleep(0.005)
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome
        return 0.0

    rounds = Rounds(work)
    first = asyncio.create_task(rounds("a"))
    await settled()
    second = asyncio.create_task(rounds("a"))
    with pytest.raises(ValueError, match="once"):
        await first
    await second


async def test_a_cancelled_caller_does_not_end_the_round_of_the_others() -> None:
    work = Work()
    rounds = Rounds(work)
    first, second = (asyncio.create_task(rounds("a")) for _ in range(2))
    await settled()
    first.cancel()
    work.go_on.release()
    await second
