"""Timers at orders' deadlines, in a queue of their own."""

from functools import partial
from typing import Final

from ticketing_common import timers
from ticketing_common.timers import Timers

__all__ = ["QUEUE", "Timers", "connect"]

QUEUE: Final = "expiration"

connect = partial(timers.connect, queue=QUEUE)
"""A client of Redis that connects at its first command."""
