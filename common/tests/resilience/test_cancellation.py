import asyncio

from ticketing_common.resilience import cancel_and_wait


async def _forget_the_first_cancel() -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await asyncio.Event().wait()


async def _fail() -> None:
    raise ValueError


async def test_tasks_end_even_if_a_cancel_is_lost_and_another_task_fails() -> None:
    tasks = [asyncio.create_task(one()) for one in (_forget_the_first_cancel, _fail)]
    await asyncio.sleep(0)

    async with asyncio.timeout(10):
        await cancel_and_wait(None, *tasks)

    assert all(task.done() for task in tasks)


async def test_no_tasks_is_no_error() -> None:
    await cancel_and_wait()
    await cancel_and_wait(None)
