"""The nesting of retries, breaker, bulkhead and time limits, and the errors that the caller gets."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

import pytest
from prometheus_client import REGISTRY

from ticketing_common.resilience import background, limited_by, time_left
from ticketing_payments.stripe_gateway import protection as protection_module
from ticketing_payments.stripe_gateway.breaker import Breaker, CallRejectedError, CircuitOpenError
from ticketing_payments.stripe_gateway.protection import Bulkhead, BulkheadFullError, Protection, Retries

pytestmark = pytest.mark.unit


class AwayError(Exception):
    """The dependency is unavailable."""


def passing(error: BaseException) -> bool:
    return isinstance(error, AwayError)


def make(*, failures: int = 100, max_concurrency: int = 8, attempts: int = 3, **limits: float) -> Protection:
    limits = {"attempt_seconds": 10, "budget_seconds": 20, **limits}
    breaker = Breaker("there", failures=failures, open_seconds=60, is_failure=passing)
    retries = Retries(attempts=attempts, first_wait_seconds=0.001, longest_wait_seconds=0.002)
    return Protection(breaker, Bulkhead("here", max_concurrency=max_concurrency, wait_seconds=0.01), retries, **limits)


def failing(times: int, error: type[Exception] = AwayError) -> tuple[list[int], Callable[[], Awaitable[str]]]:
    calls: list[int] = []

    async def call() -> str:
        calls.append(len(calls))
        if len(calls) <= times:
            raise error
        return "answer"

    return calls, call


async def test_a_call_is_retried_until_it_succeeds() -> None:
    calls, call = failing(2)
    assert await make().call(call, retry_if=passing) == "answer"
    assert len(calls) == 3


async def test_attempts_are_limited_and_the_last_error_is_raised() -> None:
    calls, call = failing(99)
    with pytest.raises(AwayError):
        await make(attempts=4).call(call, retry_if=passing)
    assert len(calls) == 4


async def test_an_error_that_is_not_retryable_is_not_retried() -> None:
    calls, call = failing(99, ValueError)
    with pytest.raises(ValueError):
        await make().call(call, retry_if=passing)
    assert len(calls) == 1


async def test_an_open_circuit_ends_the_retries() -> None:
    protection = make(failures=2, attempts=9)
    calls, call = failing(99)
    with pytest.raises(AwayError):  # a call was made, so its own error and no rejection
        await protection.call(call, retry_if=passing)
    assert len(calls) == 2
    with pytest.raises(CircuitOpenError):
        await protection.call(call, retry_if=passing)
    assert len(calls) == 2


async def test_a_full_bulkhead_refuses_at_once_and_is_no_failure_of_the_dependency() -> None:
    protection = make(failures=1, max_concurrency=1)
    gate = asyncio.Event()
    holding = asyncio.create_task(protection.call(gate.wait, retry_if=passing))
    await asyncio.sleep(0)
    calls, call = failing(0)
    for _ in range(3):
        with pytest.raises(BulkheadFullError):
            await protection.call(call, retry_if=passing)
    assert calls == []
    gate.set()
    await holding
    assert not protection.breaker.is_open


async def test_an_attempt_and_the_whole_call_have_time_limits() -> None:
    tried = 0

    async def hang() -> None:
        nonlocal tried
        tried += 1
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await make(attempt_seconds=0.01).call(hang, retry_if=passing)
    assert tried == 3, "each attempt timed out and was retried"
    tried = 0
    with pytest.raises(TimeoutError):
        await make(budget_seconds=0.02).call(hang, retry_if=passing)
    assert tried == 1, "the budget ended before the first attempt did"


async def test_every_attempt_is_timed_by_its_end() -> None:
    def so_far(outcome: str) -> float:
        labels = {"call": "there", "outcome": outcome}
        return REGISTRY.get_sample_value("call_duration_seconds_count", labels) or 0

    before = {outcome: so_far(outcome) for outcome in ("answered", "failed", "cancelled")}
    _, twice = failing(2)
    await make().call(twice, retry_if=passing)  # fails twice, then succeeds
    _, refusing = failing(1, ValueError)
    with pytest.raises(ValueError):
        await make().call(refusing, retry_if=passing)  # a refusal counts as answered
    hanging = asyncio.create_task(make().call(asyncio.Event().wait, retry_if=passing))
    await asyncio.sleep(0)
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
    since = {outcome: so_far(outcome) - count for outcome, count in before.items()}
    assert since == {"answered": 2, "failed": 2, "cancelled": 1}


async def test_no_pause_exceeds_the_budget() -> None:
    retries = Retries(attempts=3, first_wait_seconds=30, longest_wait_seconds=60)
    breaker = Breaker("there", failures=100, open_seconds=60, is_failure=passing)
    protection = Protection(
        breaker, Bulkhead("here", max_concurrency=1, wait_seconds=1), retries, attempt_seconds=5, budget_seconds=10
    )
    calls, call = failing(99)
    async with asyncio.timeout(25):  # less than the pause
        with pytest.raises(AwayError):  # the action's error, and no timeout
            await protection.call(call, retry_if=passing)
    assert len(calls) == 1


async def test_the_time_of_a_request_is_the_budget_of_its_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protection_module, "ANSWER_SECONDS", 60)
    async with asyncio.timeout(60.05) as clock:
        with limited_by(clock), pytest.raises(TimeoutError):
            await make().call(asyncio.Event().wait, retry_if=passing)
        assert not clock.expired(), "the call ends before the request's deadline, so there is time for the response"
        left = time_left()
    assert left is None


async def test_without_time_left_no_call_is_made() -> None:
    calls, call = failing(0)
    async with asyncio.timeout(0.1) as clock:
        with limited_by(clock), pytest.raises(CallRejectedError):
            await make().call(call, retry_if=passing)
    assert calls == []


async def test_work_in_the_background_has_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protection_module, "ANSWER_SECONDS", 60)
    _, call = failing(0)
    async with asyncio.timeout(30) as clock:
        with limited_by(clock), background():
            assert time_left() is None
            assert await make().call(call, retry_if=passing) == "answer"


async def test_a_call_cancelled_at_any_step_frees_its_slot() -> None:
    protection = make(max_concurrency=2)
    entered, gate = 0, asyncio.Event()

    async def call() -> None:
        nonlocal entered
        entered += 1
        await gate.wait()

    for turns in range(12):  # cancel at each step of the call
        tasks = [asyncio.create_task(protection.call(call, retry_if=passing)) for _ in range(5)]
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert REGISTRY.get_sample_value("calls_in_progress", {"call": "here"}) == 0
    assert entered > 0
    gate.set()
    for _ in range(2):  # twice in each slot
        await asyncio.gather(*(protection.call(call, retry_if=passing) for _ in range(2)))
    assert not protection.breaker.is_open


async def test_a_slot_that_becomes_free_as_the_wait_ends_is_not_lost() -> None:
    bulkhead = Bulkhead("here", max_concurrency=1, wait_seconds=0.001)
    for _ in range(200):
        async with bulkhead.slot():
            waiting = asyncio.create_task(enter(bulkhead))
            await asyncio.sleep(random.uniform(0.0005, 0.0015))
        with contextlib.suppress(BulkheadFullError):
            await waiting
    async with asyncio.timeout(30), bulkhead.slot():
        pass


async def enter(bulkhead: Bulkhead) -> None:
    async with bulkhead.slot():
        pass
