"""Which piece goes inside which, and what of it the caller is told."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ticketing_common.resilience import (
    Breaker,
    Bulkhead,
    BulkheadFullError,
    CircuitOpenError,
    Protection,
    Retries,
)

pytestmark = pytest.mark.unit


class AwayError(Exception):
    """The other side is."""


def passing(error: BaseException) -> bool:
    return isinstance(error, AwayError)


def make(*, failures: int = 100, places: int = 8, attempts: int = 3, **limits: float) -> Protection:
    limits = {"attempt_seconds": 10, "budget_seconds": 20, **limits}
    breaker = Breaker("there", failures=failures, open_seconds=60, is_failure=passing)
    retries = Retries(attempts=attempts, first_wait_seconds=0.001, longest_wait_seconds=0.002)
    return Protection(breaker, Bulkhead("here", places=places, wait_seconds=0.01), retries, **limits)


def failing(times: int, error: type[Exception] = AwayError) -> tuple[list[int], Callable[[], Awaitable[str]]]:
    calls: list[int] = []

    async def call() -> str:
        calls.append(len(calls))
        if len(calls) <= times:
            raise error
        return "answer"

    return calls, call


async def test_it_is_tried_again_until_it_succeeds() -> None:
    calls, call = failing(2)
    assert await make().call(call, again=passing) == "answer"
    assert len(calls) == 3


async def test_it_is_not_tried_for_ever_and_the_error_is_its_own() -> None:
    calls, call = failing(99)
    with pytest.raises(AwayError):
        await make(attempts=4).call(call, again=passing)
    assert len(calls) == 4


async def test_what_is_not_worth_it_is_not_repeated() -> None:
    calls, call = failing(99, ValueError)
    with pytest.raises(ValueError):
        await make().call(call, again=passing)
    assert len(calls) == 1


async def test_an_open_circuit_ends_the_repeats_too() -> None:
    protection = make(failures=2, attempts=9)
    calls, call = failing(99)
    with pytest.raises(AwayError):  # it was asked, so its own error, and not that it was not asked
        await protection.call(call, again=passing)
    assert len(calls) == 2
    with pytest.raises(CircuitOpenError):
        await protection.call(call, again=passing)
    assert len(calls) == 2


async def test_a_full_bulkhead_is_told_at_once_and_is_no_failure_of_the_other_side() -> None:
    protection = make(failures=1, places=1)
    gate = asyncio.Event()
    holding = asyncio.create_task(protection.call(gate.wait, again=passing))
    await asyncio.sleep(0)
    calls, call = failing(0)
    for _ in range(3):
        with pytest.raises(BulkheadFullError):
            await protection.call(call, again=passing)
    assert calls == []
    gate.set()
    await holding
    assert not protection.breaker.is_open


async def test_an_attempt_and_the_whole_have_their_limits() -> None:
    tried = 0

    async def hang() -> None:
        nonlocal tried
        tried += 1
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await make(attempt_seconds=0.01).call(hang, again=passing)
    assert tried == 3, "each attempt ended, and was repeated"
    tried = 0
    with pytest.raises(TimeoutError):
        await make(budget_seconds=0.02).call(hang, again=passing)
    assert tried == 1, "the budget was spent before the first attempt was"
