"""Immediate notice of a termination signal; the server's own notice comes only after all responses are complete."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def on_termination(callback: Callable[[], None]) -> Iterator[None]:
    """Inside this block a termination signal calls `callback` in the event loop, in addition to the server's handler.

    It only extends a server's existing handler: without one (in most tests) signals keep their default effect.
    sse-starlette replaces a method of uvicorn and polls twice a second instead, for the whole process.
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
