import asyncio

from ticketing_common.resilience import cancel_and_wait


async def _forget_the_first_cancel() -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await asyncio.Event().wait()


async def _fail() -> None:
    raise ValueError


async def test_tasks_have_ended_though_a_cancel_got_lost_and_another_failed() -> None:
    tasks = [asyncio.create_task(one()) for one in (_forget_the_first_cancel, _fail)]
    await asyncio.sleep(0)

    async with asyncio.timeout(10):
        await cancel_and_wait(None, *tasks)

    assert all(task.done() for task in tasks)


async def test_nothing_to_end_is_no_error() -> None:
    await cancel_and_wait()
    await cancel_and_wait(None)
