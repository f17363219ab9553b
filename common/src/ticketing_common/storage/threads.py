"""Two thread pools for the driver: one for requests, one for the background."""

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, TypeVar

from ticketing_common.resilience import PerWorkload

__all__ = ["WorkloadExecutor"]

T = TypeVar("T")


class WorkloadExecutor(Executor):
    """Chooses the pool by the caller's workload: `submit` runs in the caller's context."""

    def __init__(self, threads: int) -> None:
        """`threads` is the size of each pool; threads start on demand."""
        self._pools = PerWorkload(
            requests=ThreadPoolExecutor(threads, thread_name_prefix="mongo-requests"),
            background=ThreadPoolExecutor(threads, thread_name_prefix="mongo-background"),
        )

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Run `fn` in the pool of the current workload."""
        return self._pools.current.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Shut down both pools."""
        for pool in (self._pools.requests, self._pools.background):
            pool.shutdown(wait, cancel_futures=cancel_futures)
