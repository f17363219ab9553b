"""A rate limit counts hits in its window, drops older ones, and costs the same for many keys."""

import time

import pytest
from starlette.requests import Request

from ticketing_common.errors import TooManyRequestsError
from ticketing_common.web.rate_limit import RateLimiter, Windows

pytestmark = pytest.mark.unit


class Clock:
    """A clock that the test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 1_000.0
        monkeypatch.setattr(Windows, "now", staticmethod(lambda: self.seconds))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def windows() -> Windows:
    return Windows(3, 60)


def hit(windows: Windows, key: str) -> bool:
    """Whether the hit was counted."""
    counted, _, _ = windows.hit(key)
    return counted


def test_the_window_moves_with_each_hit(clock: Clock, windows: Windows) -> None:
    for _ in range(3):
        assert hit(windows, "ann")
        clock.seconds += 10
    assert windows.hit("ann") == (False, 0, 30)
    assert hit(windows, "bob"), "each key has its own window"
    clock.seconds += 30
    assert hit(windows, "ann"), "the first of the three is a minute old"
    assert not hit(windows, "ann"), "and the other two are not"


async def test_a_call_after_the_announced_wait_is_allowed(clock: Clock) -> None:
    limiter = RateLimiter("1/minute", name="try")
    await limiter.check(Request({"type": "http"}), "ann")
    clock.seconds += 0.1
    refusals = 0
    while True:
        try:
            await limiter.check(Request({"type": "http"}), "ann")
        except TooManyRequestsError as refused:
            refusals += 1
            clock.seconds += refused.retry_after_seconds
        else:
            break
    assert refusals == 1


def test_a_refusal_does_not_make_the_wait_longer(clock: Clock, windows: Windows) -> None:
    for _ in range(3):
        hit(windows, "ann")
    for _ in range(59):
        clock.seconds += 1
        assert not hit(windows, "ann")
    clock.seconds += 1
    assert hit(windows, "ann")


def test_a_key_without_hits_for_a_window_is_removed(clock: Clock, windows: Windows) -> None:
    for number in range(1_000):
        hit(windows, f"visitor {number}")
    clock.seconds += 30
    hit(windows, "visitor 0")
    assert len(windows) == 1_000
    clock.seconds += 30
    hit(windows, "ann")
    assert len(windows) == 2, "ann, and the one who came twice"
    clock.seconds += 61
    hit(windows, "ann")
    assert len(windows) == 1


def test_a_limit_of_zero_counts_and_stores_nothing(clock: Clock) -> None:
    none = Windows(0, 60)
    assert none.hit("ann") == (False, 0, 60)
    assert len(none) == 0


def test_many_keys_do_not_slow_down_a_hit(windows: Windows) -> None:
    def cost() -> float:
        begun = time.process_time()
        for number in range(1_000):
            hit(windows, f"visitor {number}")
        return time.process_time() - begun

    def lowest() -> float:
        return min(cost() for _ in range(5))  # one of them may pay for a garbage collection

    few = lowest()
    for number in range(50_000):
        hit(windows, f"caller {number}")
    assert lowest() < 5 * few + 0.05, "a scan of all of them would take fifty times as long"
