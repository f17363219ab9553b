"""A rate limit counts hits in its window, drops older ones, and costs the same for many keys."""

import time

import pytest
from limits import parse
from limits.aio.strategies import MovingWindowRateLimiter
from starlette.requests import Request

from ticketing_common.errors import TooManyRequestsError
from ticketing_common.web.rate_limit import RateLimiter
from ticketing_common.web.rate_windows import Windows

pytestmark = pytest.mark.unit

ITEM = parse("3/minute")


class Clock:
    """A clock that the test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 1_000.0
        monkeypatch.setattr(Windows, "now", staticmethod(lambda: self.seconds))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


async def test_the_window_moves_with_each_hit(clock: Clock) -> None:
    limiter = MovingWindowRateLimiter(Windows())
    for _ in range(3):
        assert await limiter.hit(ITEM, "ann")
        clock.seconds += 10
    assert not await limiter.hit(ITEM, "ann")
    assert await limiter.hit(ITEM, "bob"), "each key has its own window"
    stats = await limiter.get_window_stats(ITEM, "ann")
    assert (stats.remaining, stats.reset_time - clock.seconds) == (0, 30)
    clock.seconds += 30
    assert await limiter.hit(ITEM, "ann"), "the first of the three is a minute old"
    assert not await limiter.hit(ITEM, "ann"), "and the other two are not"


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


async def test_a_refusal_does_not_make_the_wait_longer(clock: Clock) -> None:
    limiter = MovingWindowRateLimiter(Windows())
    for _ in range(3):
        await limiter.hit(ITEM, "ann")
    for _ in range(59):
        clock.seconds += 1
        assert not await limiter.hit(ITEM, "ann")
    clock.seconds += 1
    assert await limiter.hit(ITEM, "ann")


async def test_a_key_without_hits_for_a_window_is_removed(clock: Clock) -> None:
    windows = Windows()
    limiter = MovingWindowRateLimiter(windows)
    for number in range(1_000):
        await limiter.hit(ITEM, f"visitor {number}")
    clock.seconds += 30
    await limiter.hit(ITEM, "visitor 0")
    assert len(windows) == 1_000
    clock.seconds += 30
    await limiter.hit(ITEM, "ann")
    assert len(windows) == 2, "ann, and the one who came twice"
    clock.seconds += 61
    await limiter.hit(ITEM, "ann")
    assert len(windows) == 1


async def test_a_query_stores_nothing(clock: Clock) -> None:
    windows = Windows()
    for number in range(100):
        await MovingWindowRateLimiter(windows).get_window_stats(ITEM, f"visitor {number}")
    assert len(windows) == 0


async def test_many_keys_do_not_slow_down_a_hit() -> None:
    limiter = MovingWindowRateLimiter(Windows())

    async def cost() -> float:
        begun = time.process_time()
        for number in range(1_000):
            await limiter.hit(ITEM, f"visitor {number}")
        return time.process_time() - begun

    async def lowest() -> float:
        return min([await cost() for _ in range(5)])  # one of them may pay for a garbage collection

    few = await lowest()
    for number in range(50_000):
        await limiter.hit(ITEM, f"caller {number}")
    assert await lowest() < 5 * few + 0.05, "a scan of all of them would take fifty times as long"
