"""Whether a person waits for what is being done: requests and the background have pools and places of their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from typing import Final

__all__ = ["background", "empty_context", "in_background"]

_IN_BACKGROUND: Final[ContextVar[bool]] = ContextVar("in_background", default=False)


def in_background() -> bool:
    """True in work that nobody waits for: consumers, the relay, sweeps."""
    return _IN_BACKGROUND.get()


@contextmanager
def background() -> Iterator[None]:
    """What is done inside, and the tasks that are begun there, are work in the background."""
    token = _IN_BACKGROUND.set(True)
    try:
        yield
    finally:
        _IN_BACKGROUND.reset(token)


def empty_context(*, in_background: bool) -> Context:
    """For work that is done for several callers at once: it has nothing of any of them but who waits for it."""
    context = Context()
    context.run(_IN_BACKGROUND.set, in_background)
    return context
