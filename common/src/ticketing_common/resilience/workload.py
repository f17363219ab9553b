"""The workload that a call belongs to: a request, for which a caller waits, or the background.

It is passed in a context variable, as the deadline is, since it has to reach the driver's thread pool through code that
is not ours. It decides three kinds of things, and each asks here:

* which of two resources a call uses, so that neither workload waits for the other (`PerWorkload`): threads of the
  database driver, queues of the batcher, concurrent calls to Stripe;
* how long it may take: a request has a deadline (`time_left`, `storage.reading`), the background has none;
* whether a compare-and-swap may share its command: only a handler of an event looks again when its outcome is unclear
  (`Repository`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

__all__ = ["PerWorkload", "background", "empty_context", "in_background"]

T = TypeVar("T")

_IN_BACKGROUND: Final[ContextVar[bool]] = ContextVar("in_background", default=False)


@dataclass(frozen=True, slots=True)
class PerWorkload(Generic[T]):
    """Two resources of a kind, one for each workload."""

    requests: T
    background: T

    @property
    def current(self) -> T:
        """The one for the caller's own workload."""
        return self.background if in_background() else self.requests


def in_background() -> bool:
    """True in work that no caller waits for: consumers, the relay, sweeps."""
    return _IN_BACKGROUND.get()


@contextmanager
def background() -> Iterator[None]:
    """What is done inside, and the tasks that are started there, belong to the background."""
    token = _IN_BACKGROUND.set(True)
    try:
        yield
    finally:
        _IN_BACKGROUND.reset(token)


def empty_context(*, in_background: bool) -> Context:
    """For work that is done for several callers at once: it has nothing of any of them but their workload."""
    context = Context()
    context.run(_IN_BACKGROUND.set, in_background)
    return context
