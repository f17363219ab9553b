"""The breaker opens, spares the other side, tries with one call, and closes."""

import asyncio
import contextlib
from contextlib import AbstractContextManager

import circuitbreaker
import pytest
from prometheus_client import REGISTRY

from ticketing_payments.stripe_gateway.protection import Breaker, Bulkhead, BulkheadFullError, CircuitOpenError

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


class Clock:
    """The time that breakers see; it moves on when the test says so."""

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


def test_after_so_many_failures_in_a_row_nothing_is_asked_any_more() -> None:
    breaker = make(failures=3)
    for _ in range(3):
        fail(breaker)
    asked = False
    with pytest.raises(CircuitOpenError) as refused, breaker.watching():
        asked = True
    assert not asked
    assert 1 <= refused.value.retry_after_seconds <= 60
    assert REGISTRY.get_sample_value("circuit_state", {"circuit": "there"}) == 1


def test_an_answer_in_between_starts_the_count_anew() -> None:
    breaker = make(failures=3)
    for _ in range(5):
        fail(breaker)
        fail(breaker)
        succeed(breaker)
    assert not breaker.is_open


def test_a_refusal_is_an_answer() -> None:
    breaker = make(failures=3)
    for _ in range(2):
        fail(breaker)
    fail(breaker, ValueError)
    for _ in range(2):
        fail(breaker)
    assert not breaker.is_open


def test_after_a_while_one_call_tries_and_closes_it_for_all(clock: Clock) -> None:
    breaker = make(failures=1)
    fail(breaker)
    clock.until_half_open(breaker)
    with breaker.watching(), pytest.raises(CircuitOpenError), breaker.watching():
        pass  # the second, while the first is still trying
    succeed(breaker)
    assert REGISTRY.get_sample_value("circuit_state", {"circuit": "there"}) == 0


def test_a_try_that_fails_opens_it_again(clock: Clock) -> None:
    breaker = make(failures=3)
    for _ in range(3):
        fail(breaker)
    clock.until_half_open(breaker)
    fail(breaker)
    assert breaker.is_open


def test_a_crowd_that_began_before_it_opened_keeps_it_open_no_longer(clock: Clock) -> None:
    breaker = make(failures=2)
    crowd = [breaker.watching() for _ in range(6)]
    for call in crowd:
        call.__enter__()

    def ends(call: AbstractContextManager[None]) -> None:
        with contextlib.suppress(OSError):
            call.__exit__(OSError, OSError(), None)

    ends(crowd.pop())
    ends(crowd.pop())
    assert breaker.is_open
    clock.now += OPEN_SECONDS / 4
    opened = breaker._circuit._opened
    ends(crowd.pop())
    assert breaker._circuit._opened == opened, "the wait does not begin anew"
    crowd.pop().__exit__(None, None, None)
    assert breaker.is_open, "nor does a late answer send everybody there: that is for the one that tries"
    clock.until_half_open(breaker)
    succeed(breaker)
    ends(crowd.pop())
    ends(crowd.pop())
    assert not breaker.is_open, "what hung before says nothing about now"
    fail(breaker)
    fail(breaker)
    assert breaker.is_open, "and what fails now does"


@pytest.mark.parametrize("neutral", ["cancelled", "no place"])
async def test_a_try_that_says_nothing_about_the_other_side_decides_nothing(neutral: str, clock: Clock) -> None:
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

    # Neither closed nor stuck: the next call is the try, alone as before.
    with breaker.watching(), pytest.raises(CircuitOpenError), breaker.watching():
        pass


async def test_a_bulkhead_holds_so_many_and_refuses_the_next() -> None:
    bulkhead = Bulkhead("here", max_concurrency=2, wait_seconds=0.01)
    async with bulkhead.slot(), bulkhead.slot():
        assert REGISTRY.get_sample_value("calls_in_progress", {"call": "here"}) == 2
        with pytest.raises(BulkheadFullError):
            async with bulkhead.slot():
                pass
    async with bulkhead.slot():
        pass  # there is room again


async def test_whoever_waits_for_a_place_gets_the_next_one() -> None:
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
