import asyncio

from ticketing_common.resilience import repeated


class Work:
    """Counts how often it is done, and lets a test wait for that."""

    def __init__(self, *, fails: bool = False) -> None:
        self.count = 0
        self._fails = fails
        self._more = asyncio.Condition()

    async def __call__(self) -> None:
        async with self._more:
            self.count += 1
            self._more.notify_all()
        if self._fails:
            raise RuntimeError("the database is away")

    async def reach(self, count: int) -> None:
        async with asyncio.timeout(30), self._more:
            await self._more.wait_for(lambda: self.count >= count)


EVERY_SECONDS = 0.01


async def test_the_work_is_repeated_until_the_end_of_the_block() -> None:
    work, tasks = Work(), asyncio.all_tasks()
    async with repeated(work, EVERY_SECONDS, failure="failed"):
        assert asyncio.all_tasks() > tasks
        await work.reach(3)
    assert asyncio.all_tasks() == tasks, "nothing is left that could do it again"


async def test_work_that_fails_is_repeated() -> None:
    work = Work(fails=True)
    async with repeated(work, EVERY_SECONDS, failure="failed"):
        await work.reach(2)


async def test_without_the_lease_the_work_is_not_done() -> None:
    asked, work = Work(), Work()

    async def refused() -> bool:
        await asked()
        return False

    async with repeated(work, EVERY_SECONDS, failure="failed", acquire_lease=refused):
        await asked.reach(3)
    assert work.count == 0
