import asyncio
import gc

import pytest

from ticketing_common.delivery.ordering import KeyedWorkers

pytestmark = pytest.mark.unit


class Work:
    """Notes what is begun and done; an item is held until its gate opens."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.done: list[str] = []
        self.cancelled: list[str] = []
        self.most_at_once = 0
        self.gate = asyncio.Event()

    async def __call__(self, item: str) -> None:
        self.begun.append(item)
        self.most_at_once = max(self.most_at_once, len(self.begun) - len(self.done) - len(self.cancelled))
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled.append(item)
            raise
        self.done.append(item)


async def turns(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_items_of_one_key_are_worked_on_in_their_order() -> None:
    work = Work()
    workers = KeyedWorkers(work, concurrency=4, capacity=100)
    for number in range(5):
        workers.submit("a", f"a{number}")
    await turns()
    assert work.begun == ["a0"]

    work.gate.set()
    await workers.finish(1)
    assert work.done == ["a0", "a1", "a2", "a3", "a4"]
    assert work.most_at_once == 1


async def test_items_of_different_keys_run_side_by_side_up_to_a_limit() -> None:
    work = Work()
    workers = KeyedWorkers(work, concurrency=3, capacity=100)
    for key in "abcdefg":
        workers.submit(key, key)
    await turns()
    assert work.begun == ["a", "b", "c"]

    work.gate.set()
    await turns(50)
    assert work.done == list("abcdefg")
    assert work.most_at_once == 3


async def test_there_is_room_again_when_work_is_done() -> None:
    work = Work()
    workers = KeyedWorkers(work, concurrency=2, capacity=2)
    workers.submit("a", "a")
    workers.submit("b", "b")
    assert workers.capacity == 0
    waiting = asyncio.create_task(workers.wait_for_capacity(2))
    await turns()
    assert not waiting.done()

    work.gate.set()
    await asyncio.wait_for(waiting, 30)
    assert workers.capacity == 2


async def test_work_that_fails_takes_no_room_away_and_nobody_with_it() -> None:
    done: list[str] = []

    async def work(item: str) -> None:
        if item == "bad":
            raise RuntimeError("unforeseen")
        done.append(item)

    workers = KeyedWorkers(work, concurrency=1, capacity=3)
    workers.submit("a", "bad")
    workers.submit("a", "good")
    workers.submit("b", "other")
    await turns(30)

    assert sorted(done) == ["good", "other"]
    assert workers.capacity == 3


async def test_at_the_end_what_was_begun_is_finished_and_the_rest_handed_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    work = Work()
    workers = KeyedWorkers(work, concurrency=1, capacity=10)
    for key, item in [("a", "a0"), ("a", "a1"), ("b", "b0"), ("c", "c0")]:
        workers.submit(key, item)
    await turns()

    assert sorted(workers.remove_waiting()) == ["a1", "b0", "c0"]
    finishing = asyncio.create_task(workers.finish(1))
    await turns()
    work.gate.set()
    await finishing

    assert work.done == ["a0"]
    await turns()
    gc.collect()
    assert caplog.records == []  # nobody died of having nothing to do


async def test_at_the_end_what_takes_too_long_is_cancelled() -> None:
    work = Work()
    workers = KeyedWorkers(work, concurrency=2, capacity=10)
    workers.submit("a", "slow")
    await turns()

    await workers.finish(0.01)
    assert work.cancelled == ["slow"]
