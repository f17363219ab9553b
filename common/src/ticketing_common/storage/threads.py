"""Two pools of threads for the driver: one for requests, one for the background."""

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, TypeVar

from ticketing_common.resilience import PerWorkload

__all__ = ["WorkloadExecutor"]

T = TypeVar("T")


class WorkloadExecutor(Executor):
    """The caller's workload decides the pool, at the moment of `submit`, which runs in the caller's context."""

    def __init__(self, threads: int) -> None:
        """`threads` for each of the two; begun when they are needed."""
        self._pools = PerWorkload(
            requests=ThreadPoolExecutor(threads, thread_name_prefix="mongo-requests"),
            background=ThreadPoolExecutor(threads, thread_name_prefix="mongo-background"),
        )

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """As every executor does."""
        return self._pools.current.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End both."""
        for pool in (self._pools.requests, self._pools.background):
            pool.shutdown(wait, cancel_futures=cancel_futures)
