"""Hearing at once that the process is to end: the server says it only after every answer is complete."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Final

__all__ = ["on_termination"]

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def on_termination(callback: Callable[[], None]) -> Iterator[None]:
    """Inside this block the event loop calls back when such a signal comes, and the server hears of it as before.

    Only a server's own handlers are joined: without one (in most tests) a signal does what it always did. sse-starlette
    does the same by replacing a method of uvicorn and looking twice a second, for the whole process at once.
    """
    loop = asyncio.get_running_loop()
    with ExitStack() as joined:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                joined.enter_context(_joined(number, lambda: loop.call_soon_threadsafe(callback)))
        yield


@contextmanager
def _joined(number: signal.Signals, callback: Callable[[], object]) -> Iterator[None]:
    server = signal.getsignal(number)
    if not callable(server) or server is signal.default_int_handler:
        yield
        return

    def both(received: int, frame: FrameType | None) -> None:
        callback()
        server(received, frame)

    signal.signal(number, both)
    try:
        yield
    finally:
        if signal.getsignal(number) is both:
            signal.signal(number, server)
