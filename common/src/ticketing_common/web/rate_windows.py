"""Where the moving windows of the rate limits are kept: in memory, and no longer than they count."""

import time
from collections import OrderedDict, deque

from limits.aio.storage import MovingWindowSupport, Storage

__all__ = ["Windows"]


class Windows(Storage, MovingWindowSupport):
    """A storage for `limits` (its documented extension point), for one limit: all keys have windows of one length.

    The library's own in memory looks through all keys after every hit, each in a thread: with a hundred keys a hit cost
    7 ms of processor time (measured), which is more than a hold. Here every hit throws away what has run out at the old
    end, so a key costs its share once, and what is kept is bounded by the hits of one window.
    """

    STORAGE_SCHEME = None  # made by hand, never from an address

    def __init__(self) -> None:
        super().__init__()
        # By the last hit: so they are sorted by when they run out, too.
        self._hits: OrderedDict[str, deque[float]] = OrderedDict()

    def __len__(self) -> int:
        """Keys that are remembered."""
        return len(self._hits)

    @staticmethod
    def now() -> float:
        """A clock that nobody sets: with the wall clock set back, a window would last as much longer."""
        return time.monotonic()

    @property
    def base_exceptions(self) -> type[Exception]:
        """What may go wrong here: nothing of its own."""
        return ValueError

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count `amount` hits, unless they would be more than `limit` in the last `expiry` seconds."""
        now = self.now()
        self._forget(now - expiry)
        hits = self._window(key, now - expiry)
        if len(hits) + amount > limit:
            return False
        hits.extend([now] * amount)
        self._hits[key] = hits
        self._hits.move_to_end(key)
        return True

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """When the oldest hit that counts was, and how many there are."""
        now = self.now()
        hits = self._window(key, now - expiry)
        return (hits[0], len(hits)) if hits else (now, 0)

    def _window(self, key: str, since: float) -> deque[float]:
        hits = self._hits.get(key, deque())
        while hits and hits[0] <= since:
            hits.popleft()
        return hits

    def _forget(self, since: float) -> None:
        while self._hits:
            key, hits = next(iter(self._hits.items()))
            if hits and hits[-1] > since:
                return
            del self._hits[key]

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """For other strategies than the moving window; not kept here."""
        raise NotImplementedError

    async def get(self, key: str) -> int:
        """How many hits are remembered."""
        return len(self._hits.get(key, ()))

    async def get_expiry(self, key: str) -> float:
        """For other strategies than the moving window; not kept here."""
        raise NotImplementedError

    async def check(self) -> bool:
        """Always there."""
        return True

    async def reset(self) -> int | None:
        """Forget everything."""
        forgotten = len(self._hits)
        self._hits.clear()
        return forgotten

    async def clear(self, key: str) -> None:
        """Forget one."""
        self._hits.pop(key, None)
