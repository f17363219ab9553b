"""Which workload a call belongs to, how long its caller waits, and how a task is ended."""

from .cancellation import cancel_and_wait
from .deadline import time_left, until
from .workload import PerWorkload, background, empty_context, in_background

__all__ = [
    "PerWorkload",
    "background",
    "cancel_and_wait",
    "empty_context",
    "in_background",
    "time_left",
    "until",
]
