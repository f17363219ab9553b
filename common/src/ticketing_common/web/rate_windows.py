"""In-memory storage of the rate limits' moving windows; drops expired entries."""

import time
from collections import OrderedDict, deque

from limits.aio.storage import MovingWindowSupport, Storage

__all__ = ["Windows"]


class Windows(Storage, MovingWindowSupport):
    """A storage for the `limits` library (its documented extension point). One limit: all windows have one length.

    The library's memory storage scans all keys after every hit, each in a thread: with a hundred keys a hit cost 7 ms
    of CPU time (measured), more than a hold. Here every hit drops expired entries at the old end, so each key costs its
    share once, and the memory is bounded by the hits of one window.
    """

    STORAGE_SCHEME = None  # created directly, never from a URI

    def __init__(self) -> None:
        super().__init__()
        # Ordered by the last hit, and therefore by expiry.
        self._hits: OrderedDict[str, deque[float]] = OrderedDict()

    def __len__(self) -> int:
        """Number of stored keys."""
        return len(self._hits)

    @staticmethod
    def now() -> float:
        """A monotonic clock: if the wall clock were set back, windows would last longer."""
        return time.monotonic()

    @property
    def base_exceptions(self) -> type[Exception]:
        """Required by the base class; this storage raises no errors of its own."""
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
        """The time of the oldest hit in the window, and the number of hits."""
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
        """Only for other strategies than the moving window; not supported."""
        raise NotImplementedError

    async def get(self, key: str) -> int:
        """Number of stored hits."""
        return len(self._hits.get(key, ()))

    async def get_expiry(self, key: str) -> float:
        """Only for other strategies than the moving window; not supported."""
        raise NotImplementedError

    async def check(self) -> bool:
        """Always available."""
        return True

    async def reset(self) -> int | None:
        """Remove all keys."""
        forgotten = len(self._hits)
        self._hits.clear()
        return forgotten

    async def clear(self, key: str) -> None:
        """Remove one key."""
        self._hits.pop(key, None)
