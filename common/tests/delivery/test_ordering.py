import asyncio
import gc
from collections.abc import Sequence
from itertools import pairwise

import pytest

from ticketing_common.delivery.ordering import KeyedWorkers
from ticketing_common.resilience import PER_ITERATION

pytestmark = pytest.mark.unit


class Work:
    """Records started and finished items; an item waits until its gate opens."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.done: list[str] = []
        self.cancelled: list[str] = []
        self.most_at_once = 0
        self.gate = asyncio.Event()

    async def __call__(self, items: Sequence[str]) -> None:
        item = "+".join(items)
        self.begun.append(item)
        self.most_at_once = max(self.most_at_once, len(self.begun) - len(self.done) - len(self.cancelled))
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled.append(item)
            raise
        self.done.append(item)


async def run_loop(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_items_of_one_key_run_in_order() -> None:
    work = Work()
    workers = KeyedWorkers(work, concurrency=4, capacity=100)
    for number in range(5):
        workers.submit("a", f"a{number}")
    await run_loop()
    assert work.begun == ["a0"]

    work.gate.set()
    await workers.finish(1)
    assert work.done == ["a0", "a1", "a2", "a3", "a4"]
    assert work.most_at_once == 1


async def test_waiting_items_of_a_key_run_together_up_to_its_limit() -> None:
    work = Work()
    workers = KeyedWorkers(work, concurrency=4, capacity=100)
    for number in range(8):
        workers.submit("", str(number), at_once=3)
    await run_loop()
    assert work.begun == ["0+1+2"]
    assert workers.capacity == 92

    work.gate.set()
    await workers.finish(30)
    assert work.done == ["0+1+2", "3+4+5", "6+7"]
    assert workers.capacity == 100


async def test_items_of_different_keys_run_concurrently_up_to_a_limit() -> None:
    work = Work()
    workers = KeyedWorkers(work, concurrency=3, capacity=100)
    for key in "abcdefg":
        workers.submit(key, key)
    await run_loop()
    assert work.begun == ["a", "b", "c"]

    work.gate.set()
    await run_loop(50)
    assert work.done == list("abcdefg")
    assert work.most_at_once == 3


async def test_few_items_start_in_one_turn_of_the_event_loop_and_all_in_order() -> None:
    work = Work()
    workers = KeyedWorkers(work, concurrency=64, capacity=100)
    for number in range(50):
        workers.submit(str(number), str(number))

    begun = [0]
    while begun[-1] < 50:
        await asyncio.sleep(0)
        begun.append(len(work.begun))

    assert max(after - before for before, after in pairwise(begun)) == PER_ITERATION
    assert work.begun == [str(number) for number in range(50)]
    work.gate.set()
    await workers.finish(30)


async def test_finished_work_frees_capacity() -> None:
    work = Work()
    workers = KeyedWorkers(work, concurrency=2, capacity=2)
    workers.submit("a", "a")
    workers.submit("b", "b")
    assert workers.capacity == 0
    waiting = asyncio.create_task(workers.wait_for_capacity(2))
    await run_loop()
    assert not waiting.done()

    work.gate.set()
    await asyncio.wait_for(waiting, 30)
    assert workers.capacity == 2


async def test_failed_work_frees_capacity_and_stops_no_other_work() -> None:
    done: list[str] = []

    async def work(items: Sequence[str]) -> None:
        (item,) = items
        if item == "bad":
            raise RuntimeError("unforeseen")
        done.append(item)

    workers = KeyedWorkers(work, concurrency=1, capacity=3)
    workers.submit("a", "bad")
    workers.submit("a", "good")
    workers.submit("b", "other")
    await run_loop(30)

    assert sorted(done) == ["good", "other"]
    assert workers.capacity == 3


async def test_stopping_finishes_started_items_and_returns_the_rest(
    caplog: pytest.LogCaptureFixture,
) -> None:
    work = Work()
    workers = KeyedWorkers(work, concurrency=1, capacity=10)
    for key, item in [("a", "a0"), ("a", "a1"), ("b", "b0"), ("c", "c0")]:
        workers.submit(key, item)
    await run_loop()

    assert sorted(workers.remove_waiting()) == ["a1", "b0", "c0"]
    finishing = asyncio.create_task(workers.finish(1))
    await run_loop()
    work.gate.set()
    await finishing

    assert work.done == ["a0"]
    await run_loop()
    gc.collect()
    assert caplog.records == []  # no worker failed on an empty queue


async def test_stopping_cancels_work_that_takes_too_long() -> None:
    work = Work()
    workers = KeyedWorkers(work, concurrency=2, capacity=10)
    workers.submit("a", "slow")
    await run_loop()

    await workers.finish(0.01)
    assert work.cancelled == ["slow"]
