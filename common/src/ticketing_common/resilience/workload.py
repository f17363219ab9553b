"""The workload that a call belongs to: a request, for which a caller waits, or the background.

A context variable carries it, as it carries the deadline, because it must reach the driver's thread pool through code
that is not ours. Three kinds of decisions depend on it:

* which of two resources a call uses, so that neither workload waits for the other (`PerWorkload`): threads of the
  database driver, queues of the batcher, concurrent calls to Stripe;
* how long it may take: a request has a deadline (`time_left`, `storage.reading`), the background has none;
* whether a compare-and-swap may share its command: only an event handler checks again when the outcome is unclear
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
    """Two resources of the same kind, one for each workload."""

    requests: T
    background: T

    @property
    def current(self) -> T:
        """The resource of the current workload."""
        return self.background if in_background() else self.requests


def in_background() -> bool:
    """True in work without a waiting caller: consumers, the relay, sweeps."""
    return _IN_BACKGROUND.get()


@contextmanager
def background() -> Iterator[None]:
    """Run this block, and the tasks that it starts, in the background workload."""
    token = _IN_BACKGROUND.set(True)
    try:
        yield
    finally:
        _IN_BACKGROUND.reset(token)


def empty_context(*, in_background: bool) -> Context:
    """A context for work on behalf of several callers: it carries their workload, and no trace or deadline."""
    context = Context()
    context.run(_IN_BACKGROUND.set, in_background)
    return context
