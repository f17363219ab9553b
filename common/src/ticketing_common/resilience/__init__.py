"""Which workload a call belongs to, how long its caller waits, and how a task is ended."""

from .compartments import background, empty_context, in_background
from .deadline import time_left, until
from .endings import end

__all__ = [
    "background",
    "empty_context",
    "end",
    "in_background",
    "time_left",
    "until",
]
