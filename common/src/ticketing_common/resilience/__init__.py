"""Which workload a call belongs to, how long its caller waits, and how a task is ended."""

from .deadline import time_left, until
from .endings import end
from .workload import PerWorkload, background, empty_context, in_background

__all__ = [
    "PerWorkload",
    "background",
    "empty_context",
    "end",
    "in_background",
    "time_left",
    "until",
]
