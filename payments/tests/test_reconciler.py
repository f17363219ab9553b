import asyncio

from ticketing_payments.reconciler import Reconciler


class Sweeps:
    """Counts sweeps, and lets a test wait for one."""

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


async def yes() -> bool:
    return True


async def test_it_sweeps_repeatedly_until_it_is_stopped() -> None:
    sweeps = Sweeps()
    reconciler = Reconciler(sweeps, acquire=yes, seconds=0.01)
    reconciler.start()
    await sweeps.reach(3)
    await reconciler.stop()
    count = sweeps.count
    await asyncio.sleep(0.03)
    assert sweeps.count == count


async def test_a_sweep_that_fails_is_not_the_last_one() -> None:
    sweeps = Sweeps(fails=True)
    reconciler = Reconciler(sweeps, acquire=yes, seconds=0.01)
    reconciler.start()
    await sweeps.reach(2)
    await reconciler.stop()


async def test_without_the_lease_it_does_not_sweep() -> None:
    asked, sweeps = Sweeps(), Sweeps()

    async def no() -> bool:
        await asked()
        return False

    reconciler = Reconciler(sweeps, acquire=no, seconds=0.01)
    reconciler.start()
    await asked.reach(3)
    await reconciler.stop()
    assert sweeps.count == 0


async def test_a_reconciler_that_was_never_started_can_be_stopped() -> None:
    await Reconciler(Sweeps(), acquire=yes, seconds=1).stop()
