"""Two pools of threads for the driver: one for what a person waits for, one for the background."""

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, TypeVar

from ticketing_common.resilience import in_background

__all__ = ["WorkloadExecutor"]

T = TypeVar("T")


class WorkloadExecutor(Executor):
    """Who submits decides the pool; asked at that moment, in the caller's own context."""

    def __init__(self, threads: int) -> None:
        """`threads` for each of the two; begun when they are needed."""
        self._requests = ThreadPoolExecutor(threads, thread_name_prefix="mongo-requests")
        self._background = ThreadPoolExecutor(threads, thread_name_prefix="mongo-background")

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """As every executor does."""
        pool = self._background if in_background() else self._requests
        return pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End both."""
        self._requests.shutdown(wait, cancel_futures=cancel_futures)
        self._background.shutdown(wait, cancel_futures=cancel_futures)
