"""The circuit breaker opens, refuses calls, allows one trial call, and closes."""

import asyncio
import contextlib
from contextlib import AbstractContextManager

import circuitbreaker
import pytest
from prometheus_client import REGISTRY

from ticketing_payments.stripe_gateway.breaker import Breaker, CircuitOpenError
from ticketing_payments.stripe_gateway.protection import Bulkhead, BulkheadFullError

pytestmark = pytest.mark.unit

OPEN_SECONDS = 60.0


def make(*, failures: int = 3) -> Breaker:
    return Breaker(
        "there", failures=failures, open_seconds=OPEN_SECONDS, is_failure=lambda error: isinstance(error, OSError)
    )


def fail(breaker: Breaker, error: type[Exception] = OSError) -> None:
    with contextlib.suppress(error), breaker.watching():
        raise error


def succeed(breaker: Breaker) -> None:
    with breaker.watching():
        pass


def is_open(breaker: Breaker) -> bool:
    """Read the state again. mypy takes an attribute that was asserted for unchanged."""
    return breaker.is_open


class Clock:
    """The clock of the breakers; only the test advances it."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def until_half_open(self, breaker: Breaker) -> None:
        assert breaker.is_open
        self.now += OPEN_SECONDS / 2
        assert breaker.is_open, "the wait is not over"
        self.now += OPEN_SECONDS / 2
        assert not breaker.is_open


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(circuitbreaker, "monotonic", lambda: clock.now)
    return clock


def test_consecutive_failures_open_the_circuit() -> None:
    breaker = make(failures=3)
    for _ in range(3):
        fail(breaker)
    asked = False
    with pytest.raises(CircuitOpenError) as refused, breaker.watching():
        asked = True
    assert not asked
    assert 1 <= refused.value.retry_after_seconds <= 60
    assert REGISTRY.get_sample_value("circuit_state", {"circuit": "there"}) == 1


def test_a_success_resets_the_count_of_failures() -> None:
    breaker = make(failures=3)
    for _ in range(5):
        fail(breaker)
        fail(breaker)
        succeed(breaker)
    assert not breaker.is_open


def test_a_refusal_is_not_a_failure() -> None:
    breaker = make(failures=3)
    for _ in range(2):
        fail(breaker)
    fail(breaker, ValueError)
    for _ in range(2):
        fail(breaker)
    assert not breaker.is_open


def test_half_open_allows_one_call_whose_success_closes_the_circuit(clock: Clock) -> None:
    breaker = make(failures=1)
    fail(breaker)
    clock.until_half_open(breaker)
    with breaker.watching(), pytest.raises(CircuitOpenError), breaker.watching():
        pass  # the second call, during the trial call
    succeed(breaker)
    assert REGISTRY.get_sample_value("circuit_state", {"circuit": "there"}) == 0


def test_a_failed_trial_call_opens_the_circuit_again(clock: Clock) -> None:
    breaker = make(failures=3)
    for _ in range(3):
        fail(breaker)
    clock.until_half_open(breaker)
    fail(breaker)
    assert breaker.is_open


def test_calls_that_started_before_the_opening_do_not_extend_it(clock: Clock) -> None:
    breaker = make(failures=2)
    late = [breaker.watching() for _ in range(6)]
    for call in late:
        call.__enter__()

    def ends(call: AbstractContextManager[None]) -> None:
        with contextlib.suppress(OSError):
            call.__exit__(OSError, OSError(), None)

    ends(late.pop())
    ends(late.pop())
    assert breaker.is_open
    clock.now += OPEN_SECONDS / 4
    opened = breaker._circuit._opened
    ends(late.pop())
    assert breaker._circuit._opened == opened, "the open time does not start again"
    late.pop().__exit__(None, None, None)
    assert breaker.is_open, "a late success does not close it: only the trial call does"
    clock.until_half_open(breaker)
    succeed(breaker)
    ends(late.pop())
    ends(late.pop())
    assert not is_open(breaker), "earlier hanging calls do not count"
    fail(breaker)
    fail(breaker)
    assert breaker.is_open, "current failures count"


@pytest.mark.parametrize("neutral", ["cancelled", "no place"])
async def test_a_trial_call_without_a_result_changes_no_state(neutral: str, clock: Clock) -> None:
    breaker = make(failures=1)
    fail(breaker)
    clock.until_half_open(breaker)

    async def attempt() -> None:
        with breaker.watching():
            if neutral == "no place":
                raise BulkheadFullError("full", retry_after_seconds=1)
            await asyncio.Event().wait()

    trying = asyncio.create_task(attempt())
    await asyncio.sleep(0)
    trying.cancel()
    await asyncio.gather(trying, return_exceptions=True)

    # Neither closed nor stuck: the next call is the only trial call.
    with breaker.watching(), pytest.raises(CircuitOpenError), breaker.watching():
        pass


async def test_a_full_bulkhead_refuses_the_next_call() -> None:
    bulkhead = Bulkhead("here", max_concurrency=2, wait_seconds=0.01)
    async with bulkhead.slot(), bulkhead.slot():
        assert REGISTRY.get_sample_value("calls_in_progress", {"call": "here"}) == 2
        with pytest.raises(BulkheadFullError):
            async with bulkhead.slot():
                pass
    async with bulkhead.slot():
        pass  # a slot is free again


async def test_a_waiting_call_gets_the_next_free_slot() -> None:
    bulkhead = Bulkhead("here", max_concurrency=1, wait_seconds=10)
    entered = asyncio.Event()

    async def wait_in_line() -> None:
        async with bulkhead.slot():
            entered.set()

    async with bulkhead.slot():
        waiting = asyncio.create_task(wait_in_line())
        await asyncio.sleep(0)
        assert not entered.is_set()
    await waiting
    assert entered.is_set()
